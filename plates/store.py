"""The plate store, an OME-Zarr folder: opening one, and all that is done with it."""

from pathlib import Path

from plates.problems import InputError
from plates.store_fields import read_field as read_field
from plates.store_fields import read_region as read_region
from plates.store_fields import read_stack as read_stack
from plates.store_metadata import INGEST
from plates.store_metadata import PlateSpec as PlateSpec
from plates.store_parsing import (
    forbidden,
    in_order,
    ome_block,
    parse_format,
    parse_layout,
    parse_wells,
    read_images,
    read_omitted,
    refusal,
    sample_images,
)
from plates.store_plate import Plate as Plate
from plates.store_stream import FieldStream as FieldStream
from plates.store_views import as_stack as as_stack
from plates.store_views import plate_sha256 as plate_sha256
from plates.store_views import well_sha256 as well_sha256
from plates.store_writer import FieldWriter as FieldWriter
from plates.store_writer import create_plate as create_plate
from plates.store_writer import finish_plate as finish_plate
from plates.store_writer import partial_path as partial_path
from plates.store_writer import plate_writer as plate_writer
from plates.store_writer import write_field as write_field


def open_plate(path: Path) -> Plate:
    """Open a plate after checking its root block and a few images; InputError if refused.

    A plate without our ingest.json is one of another tool, a folder or a zip file.
    """
    path = Path(path)
    if not _is_ours(path):
        from plates.ome_zarr.direct import open_other

        return open_other(path)
    root = path / "zarr.json"
    block = ome_block(root, "plate")["plate"]
    try:
        listed = parse_wells(block, root)
        omitted = read_omitted(path)
        wells = in_order({*listed, *(well for well, _ in omitted)})
        n_fields = int(block["field_count"])
        sampled = sample_images(listed, n_fields, omitted)
        images = read_images(path, sampled)
        if len(images) != 1:
            found = f"{len(images)} kinds of images among {len(sampled)} looked at"
            raise refusal("PLATE_META_INVALID", path, found, "ingest the plate again")
        image = images.pop()
        layout = parse_layout(image.array_json, path)
        spec = PlateSpec(
            plate=str(block["name"]),
            format=parse_format(len(block["rows"]), len(block["columns"]), wells),
            wells=wells,
            n_fields=n_fields,
            channels=image.channels,
            pixel_size_um=image.pixel_size_um,
            field_shape=(layout.shape[1], layout.shape[3], layout.shape[4]),
            dtype=layout.dtype,
            n_times=layout.shape[0],
            n_z=layout.shape[2],
            z_step_um=image.z_step_um if layout.shape[2] > 1 else None,
            n_levels=image.n_levels,
        )
    except InputError:
        raise
    except (KeyError, IndexError, TypeError, ValueError) as error:
        found = f"{type(error).__name__}: {error}"
        remedy = "ingest the plate again"
        raise refusal("PLATE_META_INVALID", root, found, remedy) from error
    return Plate(path, spec, omitted, layout, image.array_json)


def _is_ours(path: Path) -> bool:
    """Whether ingest wrote it. A disk that does not say is no answer: read as another
    tool's, a plate would have lost what ingest knew of it."""
    try:
        return (path / INGEST).is_file()
    except PermissionError:
        raise forbidden(path / INGEST) from None
