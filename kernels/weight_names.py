"""What the weights of each network are called in the files of other programs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from kernels.networks.vgg import BLOCKS

Layout = Literal["torch", "keras", "own"]


class WeightsMismatch(ValueError):
    """Weights of another architecture: what differs, and what may be done."""

    def __init__(self, found: str, remedy: str) -> None:
        """Keep both halves of the message."""
        self.found, self.remedy = found, remedy
        super().__init__(f"{found} - {remedy}")


@dataclass(frozen=True)
class Naming:
    """How one architecture is called elsewhere.

    ``torch`` and ``keras`` turn our module path into theirs (None: no such files);
    ``first`` is the convolution that sees the channels, None if it cannot be adapted;
    ``flat`` names the dense layer that reads a flattened map, and the map's convolution.
    """

    torch: Callable[[str], str] | None = None
    keras: Callable[[str], str] | None = None
    first: str | None = None
    flat: tuple[str, str] | None = None


def _resnet_torch(path: str) -> str:
    parts: list[str] = []
    for part in path.split("."):
        if part == "norm":
            last = parts.pop()
            parts += [
                "downsample.1" if last == "downsample.0" else last.replace("conv", "bn")
            ]
        else:
            parts.append({"shortcut": "downsample.0", "head": "fc"}.get(part, part))
    return ".".join(parts)


def _vgg_torch_names() -> dict[str, str]:
    names = {"fc1": "classifier.0", "fc2": "classifier.3", "head": "classifier.6"}
    at = 0
    for i, block in enumerate(BLOCKS, 1):
        for j in range(1, len(block) + 1):
            names[f"block{i}_conv{j}"] = f"features.{at}"
            at += 2  # a rectifier lies between
        at += 1  # and a pool after each block
    return names


_VGG_TORCH = _vgg_torch_names()
_RESNET = Naming(torch=_resnet_torch, first="conv1.kernel")
_NAMING = {
    "resnet18": _RESNET,
    "resnet50": _RESNET,
    "vgg16": Naming(
        torch=lambda path: _VGG_TORCH[path],
        keras=lambda path: {"head": "predictions"}.get(path, path),
        first="block1_conv1.kernel",
        flat=("fc1.kernel", "block5_conv3.kernel"),
    ),
    "sesmo": Naming(
        torch=lambda path: path,
        first="conv1.kernel",
        flat=("dense.kernel", "conv4.kernel"),
    ),
}
_LEAVES = {
    "torch": {
        "kernel": "weight",
        "scale": "weight",
        "bias": "bias",
        "mean": "running_mean",
        "var": "running_var",
    },
    "keras": {"kernel": "kernel", "bias": "bias"},
}


def naming_of(name: str) -> Naming:
    """How a network of the registry is called elsewhere; nothing where it is unknown."""
    return _NAMING.get(name, Naming())


def foreign_names(name: str, ours: Sequence[str], layout: Layout) -> dict[str, str]:
    """Our flat names -> those of a file of this layout; raises WeightsMismatch when
    no file of the layout holds this network."""
    if layout == "own":
        return {n: n for n in ours}
    naming = naming_of(name)
    path_of = naming.torch if layout == "torch" else naming.keras
    if path_of is None:
        raise WeightsMismatch(
            f"weights named as in {layout}, which knows no network {name}",
            "choose another network.name, or weights that senoscreen has written",
        )
    leaves = _LEAVES[layout]
    split = {n: n.rpartition(".") for n in ours}
    return {
        n: f"{path_of(path)}.{leaves[leaf]}" for n, (path, _, leaf) in split.items()
    }
