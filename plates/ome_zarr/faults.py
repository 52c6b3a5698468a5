"""How a plate of another tool is refused, and the limits it must keep."""

from plates.problems import InputError, Problem

LARGEST_JSON_BYTES = 16_000_000
DEEPEST_JSON = 32
LARGEST_PLANE_PX = 100_000_000
LARGEST_FIELD_PX = 1_000_000_000
LARGEST_CHUNK_BYTES = 512 * 2**20
MOST_CHUNKS = 1_000_000
MOST_FIELDS_PER_WELL = 10_000
MOST_FIELDS = 200_000
MOST_LEVELS = 64

# What comes of metadata that have the wrong form somewhere.
MALFORMED = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError)

_REMEDIES = {
    "ARCHIVE_INVALID": "copy or write the archive again, or give the folder itself",
    "AXES_UNKNOWN": "write the plate again with named axes (t, c, z, y, x)",
    "CODEC_NOT_ALLOWED": "convert it to blosc, zstd, gzip, zlib, lz4 or bz2",
    "CREDENTIALS_EXPIRED": "log in anew, run the same command again",
    "LIMIT_EXCEEDED": "check the file; nothing of that size is read",
    "PATH_COLLISION": "keep one of them",
    "PATH_ESCAPE": "copy the plate whole, with plain files and paths below its folder",
    "PIXEL_SIZE_MISMATCH": "ingest the plate with its true pixel_size_um",
    "PIXEL_SIZE_UNKNOWN": "ingest the plate with pixel_size_um=",
    "PLATE_INDEX_MISMATCH": "write the plate's metadata again",
    "PLATE_META_INVALID": "write the plate's metadata again",
    "PLATE_META_MISSING": "give the folder of an OME-Zarr 0.4 or 0.5 plate",
    "S3_PACKAGE_MISSING": "install it: pip install 'senoscreen[s3]'",
    "SOURCE_UNSUPPORTED": "give a folder, a zip file or s3://bucket/prefix",
    "STORE_FORBIDDEN": "give the running user the right to read it",
    "STORE_UNREACHABLE": "check network, endpoint and region, run the same command again",
    "ZARR_UNSUPPORTED": "convert it to OME-Zarr 0.4 or 0.5, or ingest the images again",
}


def refusal(code: str, where: object, found: str) -> InputError:
    """The error that refuses a plate for one fault."""
    why = "the plate cannot be read for certain"
    return InputError([Problem(code, str(where), found, why, _REMEDIES[code])])


def over_limit(where: object, name: str, value: object, limit: int) -> InputError:
    """The error for a declared size beyond its limit; nothing was allocated for it."""
    return refusal("LIMIT_EXCEEDED", where, f"{value}, limit {name}={limit}")
