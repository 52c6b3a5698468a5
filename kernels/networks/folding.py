"""Batch norms taken into the convolutions before them, once nothing is taught any more."""

from flax import nnx

from kernels.networks.resnet import ConvNorm


def fold_norms(module: nnx.Module) -> None:
    """Fold every batch norm of a network that is to score; one without any stays as it is."""
    for _, part in list(nnx.iter_modules(module)):
        if isinstance(part, ConvNorm):
            part.fold()
