"""The networks of a model: held against their weights, or built and filled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from screen.models import Model, ModelSpec, check_fit, restore_network

if TYPE_CHECKING:
    from flax import nnx


def check_networks(model: Model) -> None:
    """Raise InputError (MODEL_INVALID) when weights do not fit their network; nothing
    is computed, no device is touched."""
    from flax import nnx

    for network in model.spec.networks:
        blank = nnx.eval_shape(lambda: _blank(model.spec))
        check_fit(blank, model.weights[network.name])


def load_networks(
    model: Model,
) -> dict[str, tuple[nnx.GraphDef[Any], nnx.State[Any, Any]]]:
    """Every network of a model, built and filled, folded, ready to be compiled."""
    from flax import nnx

    from kernels.networks.folding import fold

    loaded = {}
    for network in model.spec.networks:
        blank = nnx.eval_shape(lambda: _blank(model.spec))
        module = restore_network(blank, model.weights[network.name])
        module.eval()
        fold(module)
        loaded[network.name] = nnx.split(module)
    return loaded


def _blank(spec: ModelSpec) -> nnx.Module:
    import jax

    from kernels.networks import build
    from kernels.networks.heads import HeadSpec

    return build(
        spec.architecture,
        len(spec.channels),
        spec.crop_px,
        key=jax.random.key(0),
        n_out=HeadSpec(**spec.head).n_out,
        width=spec.width,
    )
