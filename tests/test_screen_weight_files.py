"""Weight files of every form are read to the bit; hostile ones are refused, unrun."""

import builtins
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py  # type: ignore[import-untyped]
import numpy as np
import pytest
from safetensors.numpy import save

from plates.problems import InputError
from screen.weight_files import read_weight_file
from tests import weight_file_makers as make

GOLDEN = Path(__file__).parent / "golden" / "weight_files"
RNG = np.random.default_rng(0)
ARRAYS = {
    "features.0.weight": RNG.standard_normal((4, 3, 3, 3), np.float32),
    "features.0.bias": RNG.standard_normal(4, np.float32),
}
TENSOR = make.tensor("0", (2,), (1,), 2)
TWO = np.arange(2, dtype="<f4")


def refused(path: Path, data: bytes) -> tuple[str, str]:
    """The code and finding with which these bytes are refused."""
    path.write_bytes(data)
    with pytest.raises(InputError) as caught:
        read_weight_file(path)
    (problem,) = caught.value.problems
    return problem.code, problem.found


def zipped(pickled: bytes) -> bytes:
    return make.zipped(pickled, {"0": TWO.tobytes()})


def old(pickled: bytes) -> bytes:
    return make.legacy(pickled, {"0": TWO})


FORMS: dict[str, Callable[[bytes], bytes]] = {"zip": zipped, "legacy": old}


@pytest.mark.parametrize("form", ["zip", "legacy"])
def test_files_that_torch_wrote_give_what_torch_reads(form: str) -> None:
    found = read_weight_file(GOLDEN / f"{form}.pth")
    assert found.layout == "torch"
    with np.load(GOLDEN / "expected.npz", allow_pickle=False) as expected:
        assert set(found.arrays) == set(expected)
        for name, array in expected.items():
            np.testing.assert_array_equal(found.arrays[name], array)
            assert found.arrays[name].dtype == array.dtype


@pytest.mark.parametrize(
    "data",
    [make.zip_of(ARRAYS), make.legacy_of(ARRAYS), save(ARRAYS)],
    ids=["zip", "legacy", "safetensors"],
)
def test_every_torch_form_gives_its_arrays(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "weights"
    path.write_bytes(data)
    found = read_weight_file(path)
    assert found.layout == "torch"
    assert len(found.sha256) == 64
    assert set(found.arrays) == set(ARRAYS)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(found.arrays[name], array)


def test_our_own_names_are_known_by_their_kernels(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(save({"head.kernel": TWO, "head.bias": TWO}))
    assert read_weight_file(path).layout == "own"


def test_bfloat16_of_safetensors_is_widened(tmp_path: Path) -> None:
    head = b'{"w":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}}'
    data = struct.pack("<Q", len(head)) + head + struct.pack("<2H", 0x3F80, 0xC020)
    path = tmp_path / "w.safetensors"
    path.write_bytes(data)
    np.testing.assert_array_equal(read_weight_file(path).arrays["w"], [1.0, -2.5])


@pytest.mark.parametrize(
    ("kernel", "bias"),
    [
        ("fc1/fc1_W_1:0", "fc1/fc1_b_1:0"),
        ("fc1/fc1/kernel:0", "fc1/fc1/bias:0"),
        ("model_weights/fc1/fc1/kernel:0", "model_weights/fc1/fc1/bias:0"),
    ],
)
def test_keras_names_old_and_new(tmp_path: Path, kernel: str, bias: str) -> None:
    path = tmp_path / "w.h5"
    with h5py.File(path, "w") as file:
        file[kernel] = np.ones((3, 2), np.float32)
        file[bias] = TWO
        file.create_group("dropout_1")
    found = read_weight_file(path)
    assert found.layout == "keras"
    assert {n: a.shape for n, a in found.arrays.items()} == {
        "fc1.kernel": (3, 2),
        "fc1.bias": (2,),
    }


@pytest.mark.parametrize("form", ["zip", "legacy"])
@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (os.system, ("touch CANARY",)),
        (builtins.eval, ("open('CANARY', 'w')",)),
        (builtins.exec, ("open('CANARY', 'w')",)),
        (builtins.getattr, (np, "load")),
        (builtins.__import__, ("os",)),
        (open, ("CANARY", "w")),
    ],
)
def test_a_call_is_refused_and_never_made(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    form: str,
    function: Any,
    arguments: tuple[Any, ...],
) -> None:
    monkeypatch.chdir(tmp_path)
    spare = tuple(a for a in arguments if isinstance(a, str))
    pickled = make.called(function, *spare)
    code, found = refused(tmp_path / "w.pth", FORMS[form](pickled))
    assert code == "WEIGHTS_UNSAFE"
    assert function.__name__ in found
    assert not (tmp_path / "CANARY").exists()


def named(module: str, attribute: str) -> bytes:
    return b"\x80\x04" + make.text(module) + make.text(attribute) + b"\x93."


DICT = b"ccollections\nOrderedDict\n"
HOSTILE = {
    "dotted name": named("collections", "OrderedDict.__init__.__globals__"),
    "name of torch": b"\x80\x02ctorch\nload\n.",
    "name from numbers": b"\x80\x04K\x01K\x02\x93.",
    "inst": b"\x80\x02(S'x'\nios\nsystem\n.",
    "obj": b"\x80\x02(" + DICT + b"o.",
    "extension": b"\x80\x02\x82\x01.",
    "newobj_ex": b"\x80\x04" + DICT + b")}\x92.",
    "text persistent id": b"\x80\x02Pmodule\n.",
    "number as persistent id": b"\x80\x02K\x01Q.",
    "module as persistent id": b"\x80\x02(" + make.text("module") + DICT + b"NNNtQ.",
    "storage of no kind": b"\x80\x02(" + make.text("storage") + DICT + b"NNNtQ.",
    "storage of another kind": make.described({"w": make.storage("0", 2, "load")}),
    "call of a storage kind": b"\x80\x02ctorch\nFloatStorage\nK\x01\x85R.",
    "call of a dict": b"\x80\x02})R.",
    "call without a tuple": b"\x80\x02" + DICT + b"]R.",
    "dict of pairs": b"\x80\x02" + DICT + b"](K\x01K\x02\x86e\x85R.",
    "tensor of a dict": b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n(}K\x00))tR.",
    "parameter of text": b"\x80\x02ctorch._utils\n_rebuild_parameter\n("
    + make.text("x")
    + b"\x88NtR.",
    "parts missing": b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n)R.",
    "state of a name": b"\x80\x02" + DICT + b"}b.",
    "state of a dict": b"\x80\x02" + DICT + b")R}" + make.text("x") + b"K\x01sb.",
    "state of a storage": b"\x80\x02" + make.storage("0", 2) + b"}b.",
    "tuple as name": b"\x80\x02}K\x01\x85K\x01s.",
    "items of a list": b"\x80\x02]K\x01K\x01s.",
    "entries of a dict": b"\x80\x02}K\x01a.",
    "marks without end": b"\x80\x02" + b"(" * 100_000 + b".",
    "negative size": make.described({"w": make.tensor("0", (-1,), (1,), 2)}),
    "negative stride": make.described({"w": make.tensor("0", (2,), (-1,), 2)}),
    "strides missing": make.described({"w": make.tensor("0", (2, 1), (1,), 2)}),
    "too many axes": make.described({"w": make.tensor("0", (1,) * 9, (1,) * 9, 2)}),
}
SPOILED = {
    "nothing": b"",
    "no end": b"\x80\x02}",
    "empty stack": b"\x80\x02.",
    "memo never set": b"\x80\x02h\x05.",
    "text longer than the file": b"\x80\x02X\xff\xff\xff\xffabc.",
    "long line": b"\x80\x02c" + b"a" * 1000,
    "no state_dict": b"\x80\x02K\x01.",
    "empty": b"\x80\x02}.",
    "unnamed": b"\x80\x02}K\x01" + TENSOR + b"s.",
    "text as tensor": make.described({"w": make.text("x")}),
    "newer protocol": b"\x80\x09}.",
    "more numbers than the file": make.described(
        {"w": make.tensor("0", (1 << 40,), (0,), 2)}
    ),
    "one number many times": make.described({"w": make.tensor("0", (9,), (0,), 2)}),
    "outside its storage": make.described({"w": make.tensor("0", (2,), (1,), 2, 1)}),
    "far outside": make.described({"w": make.tensor("0", (1,), (1,), 2, 1 << 40)}),
    "storage larger than it is": make.described({"w": make.tensor("0", (2,), (1,), 9)}),
    "storage that is not there": make.described({"w": make.tensor("7", (2,), (1,), 2)}),
}


@pytest.mark.parametrize("form", ["zip", "legacy"])
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_pickles_are_unsafe(tmp_path: Path, form: str, name: str) -> None:
    data = FORMS[form](HOSTILE[name])
    assert refused(tmp_path / "w.pth", data)[0] == "WEIGHTS_UNSAFE"


@pytest.mark.parametrize("form", ["zip", "legacy"])
@pytest.mark.parametrize("name", SPOILED)
def test_spoiled_pickles_are_invalid(tmp_path: Path, form: str, name: str) -> None:
    code, _ = refused(tmp_path / "w.pth", FORMS[form](SPOILED[name]))
    # In the older form the next pickle begins where this one ends too early.
    assert code == "WEIGHTS_INVALID" or form == "legacy"


def test_a_large_memo_number_costs_nothing(tmp_path: Path) -> None:
    pickled = b"\x80\x02}r\xff\xff\xff\xff" + make.text("w") + TENSOR + b"s."
    path = tmp_path / "w.pth"
    path.write_bytes(zipped(pickled))
    np.testing.assert_array_equal(read_weight_file(path).arrays["w"], TWO)


GOOD = make.described({"w": TENSOR})
ODD_ZIPS = {
    "packed": make.zipped(GOOD, {"0": TWO.tobytes()}, packed=True),
    "big-endian": make.zipped(GOOD, {"0": TWO.tobytes()}, byteorder=b"big"),
    "TorchScript": make.zipped(GOOD, {"0": TWO.tobytes()}, constants__pkl=b""),
    "no pickle": make.zipped(GOOD, {}).replace(b"data.pkl", b"data.txt"),
    "NaN": make.zipped(GOOD, {"0": np.full(2, np.nan, "<f4").tobytes()}),
}


@pytest.mark.parametrize("name", ODD_ZIPS)
def test_other_archives_are_invalid(tmp_path: Path, name: str) -> None:
    assert refused(tmp_path / "w.pth", ODD_ZIPS[name])[0] == "WEIGHTS_INVALID"


@pytest.mark.parametrize(
    ("data", "code", "match"),
    [
        (b"", "WEIGHTS_INVALID", "neither"),
        (b"\x93NUMPY", "WEIGHTS_INVALID", "neither"),
        (b"\x80\x04}.", "WEIGHTS_UNSAFE", "bare pickle"),
        (b"\x89HDF\r\n\x1a\n" + bytes(40), "WEIGHTS_INVALID", "HDF5"),
        (b"\xff" * 8 + b"{", "WEIGHTS_INVALID", "safetensors"),
        (save({"w": np.ones(2, np.uint8)}), "WEIGHTS_INVALID", "holds U8"),
        (save({"w": np.full(2, np.inf, "f4")}), "WEIGHTS_INVALID", "NaN or infinity"),
    ],
)
def test_other_files_are_refused(
    tmp_path: Path, data: bytes, code: str, match: str
) -> None:
    found = refused(tmp_path / "w", data)
    assert found[0] == code
    assert match in found[1]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"INPUT_MISSING .*none\.pth: No such file"):
        read_weight_file(tmp_path / "none.pth")


def _keras(path: Path) -> bytes:
    with h5py.File(path, "w") as file:
        file["fc1/fc1/kernel:0"] = np.ones((30, 20), np.float32)
    return path.read_bytes()


@pytest.mark.parametrize("form", ["zip", "legacy", "safetensors", "h5"])
def test_cut_and_spoiled_files_are_read_right_or_refused(
    tmp_path: Path, form: str
) -> None:
    data = {
        "zip": make.zip_of(ARRAYS),
        "legacy": make.legacy_of(ARRAYS),
        "safetensors": save(ARRAYS),
        "h5": _keras(tmp_path / "w.h5"),
    }[form]
    path, rng = tmp_path / "w", np.random.default_rng(1)
    for cut in np.linspace(0, len(data) - 1, 40).astype(int):
        assert refused(path, data[:cut])[0].startswith("WEIGHTS_")
    for _ in range(60):
        spoiled = bytearray(data)
        spoiled[int(rng.integers(len(data)))] ^= int(rng.integers(1, 256))
        path.write_bytes(bytes(spoiled))
        found = _arrays_or_code(path)
        if isinstance(found, str):
            assert found.startswith("WEIGHTS_")
        elif form == "zip":  # which alone has checksums of all it holds
            np.testing.assert_equal(found, ARRAYS)


def _arrays_or_code(path: Path) -> dict[str, Any] | str:
    try:
        return read_weight_file(path).arrays
    except InputError as error:
        return error.problems[0].code


def _links(file: Any) -> None:
    file["elsewhere"] = h5py.ExternalLink("/etc/passwd", "/")


def _soft(file: Any) -> None:
    file["soft"] = h5py.SoftLink("/fc1")


def _references(file: Any) -> None:
    group = file.create_group("fc2")
    group.create_dataset("kernel:0", data=np.array([group.ref], h5py.ref_dtype))


def _outside(file: Any) -> None:
    file.create_dataset("fc2/k", (2,), "f4", external=[("/etc/passwd", 0, 8)])


def _virtual(file: Any) -> None:
    layout = h5py.VirtualLayout((2,), "f4")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", (2,))
    file.create_virtual_dataset("fc2/k", layout)


def _text(file: Any) -> None:
    file["fc2/k"] = "import os"


def _packed(file: Any) -> None:
    file.create_dataset("fc2/k", (1 << 20,), "f4", chunks=(64,), compression="gzip")


def _vast(file: Any) -> None:
    file.create_dataset("fc2/k", (1 << 40,), "f4")


def _circle(file: Any) -> None:
    group = file.create_group("a")
    for i in range(50):
        group[f"b{i}"] = group


def _nothing(file: Any) -> None:
    del file["fc1"]


UNSAFE = [_links, _soft, _references, _outside, _virtual, _text]
UNFOLDING = [_packed, _vast, _circle, _nothing]


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        *((spoil, "WEIGHTS_UNSAFE") for spoil in UNSAFE),
        *((spoil, "WEIGHTS_INVALID") for spoil in UNFOLDING),
    ],
)
def test_hdf5_files_that_reach_elsewhere_or_unfold_are_refused(
    tmp_path: Path, spoil: Callable[[Any], None], code: str
) -> None:
    with h5py.File(tmp_path / "made.h5", "w") as file:
        file["fc1/kernel:0"] = TWO
        spoil(file)
    data = (tmp_path / "made.h5").read_bytes()
    assert refused(tmp_path / "w.h5", data)[0] == code
