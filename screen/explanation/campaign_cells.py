"""Cells of a campaign's wells as the networks were taught to see them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plates.problems import FieldError, Problem
from plates.store import Plate
from plates.wells import Well
from screen.cell_centres import CentreSource, padded
from screen.explanation.views import Crops, Place
from screen.field_pixels import in_order, read_pixels, refuse_constant
from screen.illumination import Gain
from screen.models import ModelSpec
from screen.once import Once


class CampaignCells:
    """Finds and cuts the cells of one well at a time: light, scale, finder and window
    are those stored with the model. ``unread`` tells of fields that cannot be trusted."""

    def __init__(
        self,
        spec: ModelSpec,
        plates: Mapping[str, Plate],
        gains: Mapping[str, Gain | None],
        sources: Mapping[str, CentreSource | None],
    ) -> None:
        """Keep where things are; nothing is compiled before the first well."""
        self.spec, self.plates = spec, plates
        self.gains, self.sources = gains, sources
        self.unread: list[Problem] = []
        self._finders = Once()

    def networks(self, place: Place) -> tuple[str, ...]:
        """The networks that never learnt from this well."""
        return tuple(n.name for n in self.spec.networks if n.may_score(*place))

    def cells(self, place: Place) -> Crops:
        """All cells f32[n s s c] of a well."""
        plate, well = self.plates[place[0]], Well.parse(place[1])
        side = self.spec.crop_px
        parts = [np.zeros((0, side, side, len(self.spec.channels)), np.float32)]
        for index in plate.fields(well):
            try:
                parts.append(self._field(plate, well, index))
            except FieldError as error:
                self.unread.append(error.problem)
        return np.concatenate(parts)

    def _field(self, plate: Plate, well: Well, index: int) -> Crops:
        import jax

        pixels = in_order(read_pixels(plate, well, index), plate, self.spec.channels)
        refuse_constant(pixels, self.spec.channels, f"{plate.plate}/{well}/f{index}")
        source = self.sources[plate.plate]
        given = None
        if source is not None:
            centres = source(pixels, plate.plate, str(well), index)
            given = padded(centres, int(self.spec.finder["max_cells"]))
        find = self._finder(pixels)
        gain = self.gains[plate.plate]
        found = find(*jax.device_put((pixels, gain, given)))
        crops: NDArray[np.float32] = np.asarray(
            self._gather(found.image, found.centres)
        )
        return crops[: int(found.n_cells)]

    def _finder(self, pixels: NDArray[Any]) -> Any:
        from kernels.centres import make_finder
        from screen.scoring import specs

        key = (pixels.shape, pixels.dtype.name)
        return self._finders(key, lambda: make_finder(*specs(self.spec), *key))

    @cached_property
    def _gather(self) -> Any:
        from kernels.crops import make_gatherer
        from screen.scoring import specs

        finder, _ = specs(self.spec)
        return make_gatherer(finder.crop_px, finder.bin, window=self.spec.window)
