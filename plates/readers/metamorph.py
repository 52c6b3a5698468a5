"""What a MetaMorph image says of itself in the text of its TIFF file."""

import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from plates.planes import PlaneError
from plates.readers import tiff
from plates.readers.listing import single

_PROPERTY = r'<(?:custom-)?prop id="{}" type="[a-z]+" value="([^"]*)"'
_IN_UM = re.compile(r'id="spatial-calibration-units" type="string" value="um"')
_N_TRIED = 3
_DEEPEST = 16  # bits; a plane holds no more


class ImageFacts:
    """Facts that the first image of each site tells for all images of the site.

    `offsets` are (x, y) of the site in um from the well's centre, y down.
    """

    def __init__(self, files: Iterable[tuple[str, Path]]) -> None:
        """Reads up to three files a site (name, path) until one has a text."""
        self.offsets: dict[str, tuple[float, float]] = {}
        by_site: dict[str, list[Path]] = {}
        for site, path in files:
            by_site.setdefault(site, []).append(path)
        sizes: set[float] = set()
        depths: set[float] = set()
        for site, paths in by_site.items():
            text = _text(paths[:_N_TRIED])
            x = _property(text, "OffsetFromWellCenterUmX")
            y = _property(text, "OffsetFromWellCenterUmY")
            if x is not None and y is not None:
                self.offsets[site] = (x, y)
            size = _property(text, "spatial-calibration-x")
            if size is not None and _IN_UM.search(text):
                sizes.add(size)
            depths.update(d for d in [_property(text, "Camera Bit Depth")] if d)
        size, depth = single(sizes), single(depths)
        self.pixel_size_um = size if size and size > 0 else None
        is_depth = depth is not None and 1 <= depth <= _DEEPEST
        self.level_max = 2 ** int(depth or 0) - 1 if is_depth else None


def _text(paths: Sequence[Path]) -> str:
    """The text of the first file that has one; a damaged file has none."""
    for path in paths:
        try:
            text = tiff.description(path)
        except PlaneError:
            continue
        if text:
            return text
    return ""


def _property(text: str, name: str) -> float | None:
    match = re.search(_PROPERTY.format(re.escape(name)), text)
    try:
        value = float(match[1]) if match else math.nan
    except ValueError:
        return None
    return value if math.isfinite(value) else None
