"""Small exports as the instruments write them: metadata in their form, images of any size."""

from collections.abc import Callable, Iterable, Sequence
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tifffile

HARMONY = "http://www.perkinelmer.com/PEHH/HarmonyV5"
YOKOGAWA = "http://www.yokogawa.co.jp/BTS/BTSSchema/1.0"
OME = "http://www.openmicroscopy.org/Schemas/OME/2016-06"
GUID = "8E2B6D5A-1F3C-4B7A-9C0D-0123456789AB"


class Shot(NamedTuple):
    """One plane; row and column from 1, the rest as the instruments count."""

    row: int
    column: int
    field: int = 1
    channel: int = 1
    z: int = 1
    t: int = 0


def shots(
    wells: Sequence[tuple[int, int]],
    n_fields: int = 1,
    n_channels: int = 1,
    n_z: int = 1,
    n_t: int = 1,
) -> list[Shot]:
    """Every plane of a whole plate."""
    axes = (range(1, n_fields + 1), range(1, n_channels + 1), range(1, n_z + 1))
    every = product(wells, *axes, range(n_t))
    return [Shot(*well, *rest) for well, *rest in every]


def picture(shot: Shot, size: int = 12) -> np.ndarray[Any, Any]:
    """Pixels [y x] that differ in every plane."""
    return np.random.default_rng(list(shot)).integers(
        50, 4000, (size, size), dtype=np.uint16
    )


def write(path: Path, shot: Shot) -> None:
    """The plane's image."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, picture(shot), metadata=None)


def touch(path: Path, shot: Shot) -> None:
    """An empty file in place of the image."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def operetta_name(shot: Shot) -> str:
    """The file name of Harmony."""
    where = f"r{shot.row:02d}c{shot.column:02d}f{shot.field:02d}p{shot.z:02d}"
    return f"{where}-ch{shot.channel}sk{shot.t + 1}fk1fl1.tiff"


def operetta_image(shot: Shot, **changes: str) -> str:
    """One image record of Harmony with everything that a real one holds."""
    texts = {
        "id": f"{shot.row:02d}{shot.column:02d}K{shot.t}F{shot.field}P{shot.z}",
        "State": "Ok",
        "URL": operetta_name(shot),
        "Row": str(shot.row),
        "Col": str(shot.column),
        "FieldID": str(shot.field),
        "PlaneID": str(shot.z),
        "TimepointID": str(shot.t),
        "ChannelID": str(shot.channel),
        "FlimID": "1",
        "ChannelName": f"Dye {shot.channel}",
        "ImageType": "Signal",
        "AcquisitionType": "NonConfocal",
        "IlluminationType": "Epifluorescence",
        "ChannelType": "Fluorescence",
        'ImageResolutionX Unit="m"': "5.98E-07",
        'ImageResolutionY Unit="m"': "5.98E-07",
        "ImageSizeX": "1080",
        "ImageSizeY": "1080",
        "BinningX": "2",
        "BinningY": "2",
        "MaxIntensity": "65535",
        "CameraType": "AndorZylaCam",
        'PositionX Unit="m"': f"{0.0003 * shot.field:.7g}",
        'PositionY Unit="m"': "0.000645814",
        'PositionZ Unit="m"': f"{2e-6 * shot.z:.7g}",
        'AbsPositionZ Unit="m"': "0.137510493",
        'MeasurementTimeOffset Unit="s"': "0",
        "AbsTime": "2022-12-19T10:19:26.58+01:00",
        'MainExcitationWavelength Unit="nm"': "475",
        'MainEmissionWavelength Unit="nm"': "525",
        'ObjectiveMagnification Unit=""': "10",
        'ObjectiveNA Unit=""': "0.3",
        'ExposureTime Unit="s"': "0.006",
        "OrientationMatrix": "[[1.006463,0.003011,0,-35.6],[0.002440,-1.006450,0,67.3]]",
    }
    texts |= changes
    lines = (f"<{tag}>{text}</{tag.split()[0]}>" for tag, text in texts.items())
    return f'<Image Version="1">{"".join(lines)}</Image>'


def operetta_index(
    every: Iterable[Shot], plate: str = "PL1", images: Sequence[str] = ()
) -> str:
    """The text of an index; `images` replace the usual records."""
    every = list(every)
    wells = sorted({(shot.row, shot.column) for shot in every})
    declared = "".join(
        f"<Well><id>{r:02d}{c:02d}</id><Row>{r}</Row><Col>{c}</Col>"
        f'<Image id="{r:02d}{c:02d}K1F1P1R1" /></Well>'
        for r, c in wells
    )
    own = "".join(f'<Well id="{r:02d}{c:02d}" />' for r, c in wells)
    records = "".join(images or map(operetta_image, every))
    return (
        f'\ufeff<?xml version="1.0" encoding="utf-8"?>\n'
        f'<EvaluationInputData Version="1" xmlns="{HARMONY}"><Plates><Plate>'
        f"<PlateID>{plate}</PlateID><Name>{plate}</Name>"
        f"<MeasurementStartTime>2022-12-19T10:18:52+01:00</MeasurementStartTime>"
        f"<PlateRows>16</PlateRows><PlateColumns>24</PlateColumns>{own}</Plate></Plates>"
        f'<Wells>{declared}</Wells><Maps><Map><Entry ChannelID="1">'
        f"<FlatfieldProfile>{{Background: {{}}}}</FlatfieldProfile></Entry></Map></Maps>"
        f"<Images>{records}</Images></EvaluationInputData>"
    )


Maker = Callable[[Path, Shot], None]


def operetta(
    root: Path,
    every: Sequence[Shot],
    plate: str = "PL1",
    make: Maker = write,
    index: str = "Index.idx.xml",
) -> Path:
    """An export of Harmony; its folder of images."""
    images = root / "Images"
    for shot in every:
        make(images / operetta_name(shot), shot)
    (images / index).write_text(operetta_index(every, plate), encoding="utf-8")
    return images


def row_name(row: int) -> str:
    """A to Z and AA to AF, rows from 1."""
    return chr(64 + row) if row <= 26 else f"A{chr(64 + row - 26)}"


def well_name(shot: Shot) -> str:
    """The well in file names, such as `C03`."""
    return f"{row_name(shot.row)}{shot.column:02d}"


def htd(
    wells: Iterable[tuple[int, int]],
    *,
    n_sites: int = 1,
    waves: Sequence[str] = ("DAPI",),
    n_times: int = 1,
    n_z: int = 0,
    shape: tuple[int, int] = (8, 12),
) -> bytes:
    """The HTD file of MetaXpress, in its own code page."""
    chosen = set(wells)
    is_many = str(n_sites > 1).upper()
    lines = [
        '"HTSInfoFile", Version 1.0',
        '"Description", "two\xfe\xfdlines"',
        f'"TimePoints", {n_times}',
        f'"ZSeries", {str(n_z > 0).upper()}',
        f'"ZSteps", {n_z}',
        f'"XWells", {shape[1]}',
        f'"YWells", {shape[0]}',
    ]
    for row in range(1, shape[0] + 1):
        cells = (str((row, c + 1) in chosen).upper() for c in range(shape[1]))
        lines.append(f'"WellsSelection{row}", {", ".join(cells)}')
    lines += [f'"Sites", {is_many}', f'"XSites", {n_sites}', '"YSites", 1']
    if n_sites > 1:
        lines.append(f'"SiteSelection1", {", ".join(["TRUE"] * n_sites)}')
    lines += ['"Waves", TRUE', f'"NWavelengths", {len(waves)}']
    lines += [f'"WaveName{n}", "{name}"' for n, name in enumerate(waves, 1)]
    return ("\r\n".join([*lines, '"EndFile"']) + "\r\n").encode("latin-1")


def imagexpress(
    root: Path,
    every: Sequence[Shot],
    *,
    base: str = "plate1",
    guid: str = "",
    make: Maker = write,
    z_folders: bool | None = None,
) -> Path:
    """An export of MetaXpress: HTD, TimePoint and ZStep folders; sites and waves in the
    names only where there are several."""
    n = [max(getattr(s, key) for s in every) for key in ("field", "channel", "z", "t")]
    z_folders = n[2] > 1 if z_folders is None else z_folders
    for shot in every:
        name = f"{base}_{well_name(shot)}"
        name += f"_s{shot.field}" if n[0] > 1 else ""
        name += f"_w{shot.channel}" if n[1] > 1 else ""
        folder = root / f"TimePoint_{shot.t + 1}"
        folder = folder / f"ZStep_{shot.z}" if z_folders else folder
        make(folder / f"{name}{guid}.TIF", shot)
    wells = {(s.row, s.column) for s in every}
    waves = [f"Dye {c}" for c in range(1, n[1] + 1)]
    n_z = n[2] if z_folders else 0
    text = htd(wells, n_sites=n[0], waves=waves, n_times=n[3] + 1, n_z=n_z)
    (root / f"{base}.HTD").write_bytes(text)
    return root


def yokogawa_name(shot: Shot, title: str = "meas") -> str:
    """The file name of CellVoyager."""
    axes = f"T{shot.t + 1:04d}F{shot.field:03d}L01A01Z{shot.z:02d}C{shot.channel:02d}"
    return f"{title}_{well_name(shot)}_{axes}.tif"


def yokogawa_record(shot: Shot, **changes: str) -> str:
    """One record of the measurement list; `text` replaces the file name."""
    text = changes.pop("text", yokogawa_name(shot))
    values = {
        "Type": "IMG",
        "Time": "2023-09-18T13:58:44.438+02:00",
        "Column": str(shot.column),
        "Row": str(shot.row),
        "TimePoint": str(shot.t + 1),
        "FieldIndex": str(shot.field),
        "ZIndex": str(shot.z),
        "TimelineIndex": "1",
        "ActionIndex": "1",
        "X": f"{100.0 * shot.field}",
        "Y": "402.9",
        "Z": f"{3.0 * shot.z}",
        "Ch": str(shot.channel),
    }
    values |= changes
    attributes = " ".join(f'bts:{key}="{value}"' for key, value in values.items())
    return f"<bts:MeasurementRecord {attributes}>{text}</bts:MeasurementRecord>"


def cellvoyager(
    root: Path,
    every: Sequence[Shot],
    *,
    records: Sequence[str] = (),
    make: Maker = write,
) -> Path:
    """An export of CellVoyager with its list, its detail and stray camera images."""
    for shot in every:
        make(root / yokogawa_name(shot), shot)
    lines = "".join(records or map(yokogawa_record, every))
    head = '<?xml version="1.0" encoding="utf-8"?>'
    (root / "MeasurementData.mlf").write_text(
        f'{head}<bts:MeasurementData bts:Version="1.0" xmlns:bts="{YOKOGAWA}">'
        f"{lines}</bts:MeasurementData>",
        encoding="utf-8",
    )
    channels = "".join(
        f'<bts:MeasurementChannel bts:Ch="{c}" bts:HorizontalPixelDimension="0.325" '
        f'bts:VerticalPixelDimension="0.325" bts:InputBitDepth="12" />'
        for c in range(1, 5)
    )
    (root / "MeasurementDetail.mrf").write_text(
        f'{head}<bts:MeasurementDetail bts:Title="t" bts:RowCount="8" '
        f'bts:ColumnCount="12" bts:BeginTime="2023-09-18T13:58:39" xmlns:bts="{YOKOGAWA}">'
        f'<bts:MeasurementSamplePlate bts:Name="PL1" />{channels}'
        f"</bts:MeasurementDetail>",
        encoding="utf-8",
    )
    (root / "DC_DCAM#2_CAM4_BIN2.tif").write_bytes(b"II*\0")
    (root / "SC_BP445-45_20x_M01_CH01.tif").write_bytes(b"II*\0")
    return root
