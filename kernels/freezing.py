"""Which weights of a network learn: all of them, or only the dense layers at its end."""

from collections.abc import Hashable

from flax import nnx

from kernels.networks import GraphDef, Params
from kernels.pretrained import backbone_names

Path = tuple[Hashable, ...]


def divided(
    module: nnx.Module, *, only_dense: bool = False
) -> tuple[GraphDef, Params, Params]:
    """The network's structure, the weights that learn and the rest of its numbers.

    The rest is frozen weights and batch statistics. While only the dense layers learn,
    batch norms use their running statistics and leave them as they are; else they use
    and follow those of the minibatch.
    """
    if only_dense:
        module.eval()
        frozen = backbone_names(module)

        def learns(path: Path, _: object) -> bool:
            return ".".join(map(str, path)) not in frozen

        chosen = nnx.All(nnx.Param, learns)
    else:
        module.train()
        chosen = nnx.All(nnx.Param)
    graphdef, *states = nnx.split(module, chosen, ...)
    return graphdef, states[0], states[1]


def joined(graphdef: GraphDef, taught: Params, rest: Params) -> nnx.Module:
    """The whole network, ready to predict: batch norms use their running statistics."""
    module: nnx.Module = nnx.merge(graphdef, taught, rest)
    module.eval()
    return module
