"""The rooms of the house: who may import whom, what is banned, how long a module is."""

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("kernels", "plates", "screen")
SOURCES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))
TESTS_AND_BENCHES = sorted(
    p for d in ("tests", "bench") for p in (ROOT / d).glob("*.py")
)

STANDARD = set(sys.stdlib_module_names)
NOT_IN_KERNELS = {
    "asyncio", "concurrent", "datetime", "http", "io", "logging", "multiprocessing",
    "os", "pathlib", "shutil", "socket", "subprocess", "tempfile", "threading", "time",
}  # fmt: skip
ALLOWED = {
    "kernels": {"kernels", "jax", "flax", "optax", "numpy", "jaxtyping"}
    | (STANDARD - NOT_IN_KERNELS),
    "plates": {
        "plates", "numpy", "numcodecs", "google_crc32c", "zarr", "xarray", "dask", "polars", "pyarrow",
        "rdkit", "tifffile", "imagecodecs", "fastexcel", "obstore", "PIL", "openpyxl", "defusedxml", "threadpoolctl",
    }
    | STANDARD,
    "screen": {
        "screen", "kernels", "plates", "numpy", "jax", "flax", "optax", "jaxtyping",
        "dask", "distributed", "hydra", "omegaconf", "scipy", "polars", "pyarrow",
        "xarray", "zarr", "safetensors", "rich", "jinja2", "markupsafe", "psutil",
        "PIL", "sklearn", "skimage", "yaml", "optuna", "h5py", "threadpoolctl",
        "xlsxwriter",
    }
    | STANDARD,
}  # fmt: skip
ONLY_IN_BASELINES = {"sklearn", "skimage"}
BANNED_MODULES = {
    "pickle",
    "joblib",
    "dill",
    "cloudpickle",
    "torch",
    "shelve",
    "marshal",
}
BANNED_CALLS = {
    "eval", "exec", "instantiate", "hydra.utils.instantiate", "yaml.load",
    "da.from_npy_stack", "os.system", "os.popen",
}  # fmt: skip

OWN_JSON = {  # where JSON may be made without plates/json_text.py
    "plates/json_text.py",
    "plates/tables.py",  # hashed only, of cells that may hold anything
    "plates/killable.py",  # words for a child process
    "screen/crop_training/kept_scores.py",  # hashed only
}


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def _imports(path: Path) -> Iterator[str]:
    """Full names of all imported modules, those inside functions included."""
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import, line {node.lineno}"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _calls(path: Path) -> set[str]:
    """Dotted names of everything that is called."""
    calls = (node for node in ast.walk(_tree(path)) if isinstance(node, ast.Call))

    return {ast.unparse(call.func) for call in calls}


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


by_source = pytest.mark.parametrize("path", SOURCES, ids=_name)


@by_source
def test_a_room_imports_only_what_it_may(path: Path) -> None:
    roots = {name.partition(".")[0] for name in _imports(path)}

    assert roots <= ALLOWED[_name(path).partition("/")[0]]


@by_source
def test_baselines_alone_use_learning_and_image_libraries(path: Path) -> None:
    names = {n for n in _imports(path) if not n.startswith("sklearn.metrics.")}
    roots = {name.partition(".")[0] for name in names}

    assert "baselines" in path.parts or not roots & ONLY_IN_BASELINES


@by_source
def test_no_code_comes_from_data(path: Path) -> None:
    roots = {name.partition(".")[0] for name in _imports(path)}
    text = path.read_text(encoding="utf-8")

    assert not roots & BANNED_MODULES
    assert not _calls(path) & BANNED_CALLS
    assert "hydra.utils" not in set(_imports(path))
    assert "allow_pickle=True" not in text
    assert "shell=True" not in text


@by_source
def test_json_is_written_in_one_way(path: Path) -> None:
    other = {"json.dumps", "json.dump"} & _calls(path)

    assert not other or _name(path) in OWN_JSON


@by_source
def test_a_module_fits_on_a_few_screens(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 300


@by_source
def test_every_module_says_what_it_is(path: Path) -> None:
    assert ast.get_docstring(_tree(path))


@by_source
def test_no_module_is_named_like_the_standard_library_or_like_nothing(
    path: Path,
) -> None:
    assert path.stem not in STANDARD | {"utils", "helpers", "misc", "common"}


@pytest.mark.parametrize("path", TESTS_AND_BENCHES, ids=_name)
def test_no_test_shadows_the_standard_library(path: Path) -> None:
    assert path.stem not in STANDARD - {"__main__"}


def test_the_rooms_lie_beside_each_other_and_conf_is_no_package() -> None:
    assert all((ROOT / room / "__init__.py").is_file() for room in ROOMS)
    assert all((ROOT / room / "py.typed").is_file() for room in ROOMS)
    assert not (ROOT / "conf" / "__init__.py").exists()


def test_only_screen_touches_hydra_a_cluster_or_the_clock() -> None:
    assert not ALLOWED["plates"] & {"hydra", "omegaconf", "distributed", "jax"}
    assert not ALLOWED["kernels"] & {
        "hydra",
        "omegaconf",
        "distributed",
        "zarr",
        "time",
    }
