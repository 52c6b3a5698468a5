"""Named arrays of other programs as the weights of our networks."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from kernels.networks import Params
from kernels.preprocessing import FirstConv
from kernels.weight_names import Layout, WeightsMismatch, foreign_names, naming_of

Arrays = Mapping[str, np.ndarray]

N_SHOWN = 3
"""Differing names that a refusal lists."""


_NOT_WEIGHTS = "num_batches_tracked"
"""What torch counts beside the weights."""


@dataclass(frozen=True)
class Loaded:
    """Weights and batch statistics of a network, and what differs from the file."""

    state: Params
    told: tuple[str, ...]


def flat_variables(module: nnx.Module) -> dict[str, Any]:
    """Parameters and batch statistics by flat dotted name, as model files name them."""
    state = nnx.state(module, nnx.Any(nnx.Param, nnx.BatchStat))
    return {".".join(map(str, p)): v for p, v in nnx.to_flat_state(state)}


def backbone_names(module: nnx.Module) -> frozenset[str]:
    """Flat names of all weights and statistics that belong to no dense layer."""
    dense = {
        p[0] for p, part in nnx.iter_modules(module) if isinstance(part, nnx.Linear)
    }
    return frozenset(n for n in flat_variables(module) if n.split(".")[0] not in dense)


def loaded(
    module: nnx.Module,
    name: str,
    arrays: Arrays,
    layout: Layout,
    *,
    first_conv: FirstConv = "refuse",
    new_dense: bool = False,
) -> Loaded:
    """The weights of the arrays in a network ``name``, whose own random ones stay where
    the file has none.

    Torch's kernels [d c y x] become [y x c d], its dense layers [out in] become
    [in out], and one that reads a flattened map is sorted from (c y x) to (y x c).
    ``first_conv`` says how weights for another number of channels are taken: not at
    all; the mean filter for every channel; or the filters in turn. Both are scaled so
    that alike channels give the sums they gave. A head of another size is left out;
    ``new_dense`` leaves out every dense layer. Raises WeightsMismatch.
    """
    variables = flat_variables(module)
    names = foreign_names(name, list(variables), layout)
    rest = set(variables) - set(backbone_names(module))
    absent = _left_out(rest, variables, names, arrays, layout, new_dense)
    taken = {n: names[n] for n in variables if n not in absent}
    _same_names(taken, {names[n] for n in absent}, arrays)
    naming = naming_of(name)
    found: dict[str, np.ndarray] = {}
    told = _absences(absent, names, arrays)
    for ours, theirs in taken.items():
        array = np.asarray(arrays[theirs], np.float32)
        array = _turned(array) if layout == "torch" else array
        if layout == "torch" and naming.flat and ours == naming.flat[0]:
            array = _channels_last(array, variables[naming.flat[1]].shape[3])
        if ours == naming.first and _other_channels(array, variables[ours].shape):
            before, after = array.shape[2], variables[ours].shape[2]
            array = adapted_filters(array, after, first_conv)
            told += (f"{theirs}: {before} channels made {after} ({first_conv})",)
        found[ours] = array
    _same_shapes({n: v.shape for n, v in variables.items()}, found, names)
    for ours, array in found.items():
        variables[ours].set_value(jnp.asarray(array))
    return Loaded(nnx.from_flat_state(_paths(module, variables)), told)


def drawn_where_missing(found: Loaded, new: Callable[[], nnx.Module]) -> Loaded:
    """The same with numbers where an abstract network's weights were left out.

    They are those of ``new()``, of which nothing else is ever drawn.
    """
    flat = nnx.to_flat_state(found.state)
    lacking = [p for p, v in flat if isinstance(v.get_value(), jax.ShapeDtypeStruct)]
    if not lacking:
        return found

    @jax.jit
    def drawn() -> list[jax.Array]:
        every = dict(nnx.to_flat_state(nnx.state(new())))
        return [every[path][...] for path in lacking]

    variables = dict(flat)
    for path, array in zip(lacking, drawn(), strict=True):
        variables[path].set_value(array)
    return found


def _paths(module: nnx.Module, variables: dict[str, Any]) -> dict[Any, Any]:
    state = nnx.state(module, nnx.Any(nnx.Param, nnx.BatchStat))
    return {p: variables[".".join(map(str, p))] for p, _ in nnx.to_flat_state(state)}


def adapted_filters(
    kernel: np.ndarray, n_channels: int, first_conv: FirstConv
) -> np.ndarray:
    """Filters [y x c d] for another number of channels, scaled by old / new number.

    Raises WeightsMismatch for ``refuse``.
    """
    n = kernel.shape[2]
    if first_conv == "refuse":
        raise WeightsMismatch(
            f"weights for {n} channels, the images have {n_channels}",
            "set network.first_conv=mean or network.first_conv=repeat",
        )
    if first_conv == "mean":
        kernel = np.broadcast_to(
            kernel.mean(2, keepdims=True),
            (*kernel.shape[:2], n_channels, kernel.shape[3]),
        )
    else:
        kernel = kernel[:, :, np.arange(n_channels) % n]
    return np.asarray(kernel * (n / n_channels), np.float32)


def _left_out(
    dense: set[str],
    variables: dict[str, Any],
    names: dict[str, str],
    arrays: Arrays,
    layout: Layout,
    new_dense: bool,
) -> set[str]:
    """Our dense weights that stay random."""
    if new_dense:
        return dense
    layers = {n.split(".")[0] for n in dense}
    absent = {
        layer
        for layer in layers
        if not any(names[n] in arrays for n in dense if n.split(".")[0] == layer)
    }
    kernel = arrays.get(names["head.kernel"])
    n_out = variables["head.kernel"].shape[1]
    axis = 0 if layout == "torch" else -1
    if kernel is not None and kernel.ndim == 2 and kernel.shape[axis] != n_out:
        absent.add("head")
    return {n for n in dense if n.split(".")[0] in absent}


def _absences(
    absent: set[str], names: dict[str, str], arrays: Arrays
) -> tuple[str, ...]:
    layers = sorted({n.split(".")[0] for n in absent})
    held = {n.split(".")[0] for n in absent if names[n] in arrays}
    return tuple(
        f"{layer} starts at random: "
        + ("that of the file is not used" if layer in held else "the file has none")
        for layer in layers
    )


def _same_names(taken: dict[str, str], ignored: set[str], arrays: Arrays) -> None:
    lacking = [n for n in taken.values() if n not in arrays]
    known = set(taken.values()) | ignored
    extra = [n for n in arrays if n not in known and not n.endswith(_NOT_WEIGHTS)]
    found = []
    if lacking:
        found.append(f"the file lacks {_listed(lacking)}")
    if extra:
        found.append(f"the network has no {_listed(extra)}")
    if found:
        raise _other_architecture("; ".join(found))


def _same_shapes(
    expected: dict[str, tuple[int, ...]],
    found: dict[str, np.ndarray],
    names: dict[str, str],
) -> None:
    wrong = [
        f"{names[n]} {list(a.shape)} instead of {list(expected[n])}"
        for n, a in found.items()
        if a.shape != expected[n]
    ]
    if wrong:
        raise _other_architecture(f"shapes differ (as our layout): {_listed(wrong)}")


def _other_architecture(found: str) -> WeightsMismatch:
    remedy = "choose the network.name, width and crop_px of the weights"
    return WeightsMismatch(found, remedy)


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - N_SHOWN} more" if len(names) > N_SHOWN else ""
    return ", ".join(names[:N_SHOWN]) + more


def _other_channels(array: np.ndarray, shape: tuple[int, ...]) -> bool:
    alike = (
        array.ndim == 4 and array.shape[:2] + array.shape[3:] == shape[:2] + shape[3:]
    )
    return alike and array.shape[2] != shape[2]


def _turned(array: np.ndarray) -> np.ndarray:
    if array.ndim == 4:
        return array.transpose(2, 3, 1, 0)
    return array.T if array.ndim == 2 else array


def _channels_last(kernel: np.ndarray, n_channels: int) -> np.ndarray:
    """Rows of a dense kernel [c y x -> out] sorted as [y x c -> out]."""
    if kernel.ndim != 2 or kernel.shape[0] % n_channels:
        return kernel  # refused by its shape
    n_pixels = kernel.shape[0] // n_channels
    parts = kernel.reshape(n_channels, n_pixels, kernel.shape[1])
    return parts.transpose(1, 0, 2).reshape(kernel.shape)
