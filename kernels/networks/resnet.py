"""Residual networks, He et al., CVPR 2016, with the stride in the 3 x 3 (version 1.5)."""

from collections.abc import Callable, Iterable

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float

from kernels.networks.convolution import convolve, max_pool
from kernels.networks.stages import Relu, Stage, Staged
from kernels.shapes import PRNGKey

WIDTHS = (64, 128, 256, 512)
MIN_CROP_PX = 32
Map = Float[Array, "b y x c"]


class ConvNorm(nnx.Module):
    """A convolution without bias and the batch norm that follows it.

    The norm starts with its running statistics in use, so that no crop's numbers
    depend on its neighbours until ``train()`` is called.
    """

    def __init__(
        self, n_in: int, n_out: int, side: int, *, stride: int = 1, rngs: nnx.Rngs
    ) -> None:
        """Filters start as in He et al., ICCV 2015, by the number of outputs."""
        start = nnx.initializers.variance_scaling(2.0, "fan_out", "normal")
        shape = (side, side, n_in, n_out)
        self.kernel = nnx.Param(start(rngs.params(), shape))
        # float32 throughout: a variance of bfloat16 numbers has two digits.
        self.norm: nnx.BatchNorm | None = nnx.BatchNorm(
            n_out,
            use_running_average=True,
            momentum=0.9,
            epsilon=1e-5,
            dtype=jnp.float32,
            rngs=rngs,
        )
        self.bias: nnx.Param[jax.Array] | None = None
        self.stride = stride

    def fold(self) -> None:
        """Take what the norm does with its running statistics into the filters and a
        bias (Jacob et al., CVPR 2018, section 3.2): the same numbers but for rounding,
        and nothing is left to learn by."""
        norm = self.norm
        if norm is None:
            return
        assert norm.scale is not None
        assert norm.bias is not None
        # In numpy: each operation of JAX would be compiled anew for every shape.
        spread = np.sqrt(np.asarray(norm.var[...]) + np.float32(norm.epsilon))
        scale = np.asarray(norm.scale[...]) / spread
        shift = np.asarray(norm.bias[...]) - np.asarray(norm.mean[...]) * scale
        self.kernel[...] = jax.device_put(np.asarray(self.kernel[...]) * scale)
        self.bias = nnx.data(nnx.Param(jax.device_put(shift)))
        self.norm = None

    def __call__(self, x: Map) -> Float[Array, "b u v d"]:
        """Output side = input side / stride, rounded up."""
        kernel = self.kernel[...].astype(x.dtype)
        padding = self.kernel.shape[0] // 2
        y = convolve(x, kernel, stride=self.stride, padding=padding)
        if self.bias is not None:
            return y + self.bias[...].astype(x.dtype)
        assert self.norm is not None
        found: jax.Array = self.norm(y)
        return found.astype(x.dtype)


class BasicBlock(nnx.Module):
    """Two 3 x 3 convolutions beside a shortcut."""

    expansion = 1

    def __init__(self, n_in: int, n: int, *, stride: int, rngs: nnx.Rngs) -> None:
        """The first convolution strides."""
        self.conv1 = ConvNorm(n_in, n, 3, stride=stride, rngs=rngs)
        self.conv2 = ConvNorm(n, n, 3, rngs=rngs)
        self.shortcut = _shortcut(n_in, n, stride, rngs)

    def __call__(self, x: Map, relu: Relu) -> Float[Array, "b u v d"]:
        """The sum of both ways after the rectifier."""
        y = self.conv2(relu(self.conv1(x)))
        return relu(y + (x if self.shortcut is None else self.shortcut(x)))


class Bottleneck(nnx.Module):
    """1 x 1, 3 x 3 and 1 x 1 convolutions beside a shortcut; the 3 x 3 strides."""

    expansion = 4

    def __init__(self, n_in: int, n: int, *, stride: int, rngs: nnx.Rngs) -> None:
        """``n`` channels inside, four times as many outside."""
        self.conv1 = ConvNorm(n_in, n, 1, rngs=rngs)
        self.conv2 = ConvNorm(n, n, 3, stride=stride, rngs=rngs)
        self.conv3 = ConvNorm(n, 4 * n, 1, rngs=rngs)
        self.shortcut = _shortcut(n_in, 4 * n, stride, rngs)

    def __call__(self, x: Map, relu: Relu) -> Float[Array, "b u v d"]:
        """The sum of both ways after the rectifier."""
        y = self.conv3(relu(self.conv2(relu(self.conv1(x)))))
        return relu(y + (x if self.shortcut is None else self.shortcut(x)))


def _shortcut(n_in: int, n_out: int, stride: int, rngs: nnx.Rngs) -> ConvNorm | None:
    if stride == 1 and n_in == n_out:
        return None
    return ConvNorm(n_in, n_out, 1, stride=stride, rngs=rngs)


class ResNet(Staged):
    """A 7 x 7 stem, a pool, four layers of blocks, the mean over pixels, one head.

    Any crop of at least 32 pixels; usual is 224. ``train()`` makes batch norms use and
    gather the statistics of the minibatch, ``eval()`` (the state of a new network)
    the gathered ones. Nothing else is random: a key changes nothing.
    """

    def __init__(
        self,
        block: type[BasicBlock] | type[Bottleneck],
        depths: tuple[int, ...],
        n_channels: int,
        crop_px: int,
        *,
        n_out: int = 2,
        width: float = 1.0,
        rngs: nnx.Rngs,
    ) -> None:
        """Raise ValueError for a crop under 32 pixels."""
        if crop_px < MIN_CROP_PX:
            raise ValueError(
                f"a residual network takes crops of at least {MIN_CROP_PX} pixels,"
                f" not {crop_px}"
            )
        widths = [max(1, round(width * n)) for n in WIDTHS]
        before = widths[0]
        self.conv1 = ConvNorm(n_channels, before, 7, stride=2, rngs=rngs)
        layers = []
        for i, (n, depth) in enumerate(zip(widths, depths, strict=True)):
            layer = []
            for j in range(depth):
                stride = 2 if i and not j else 1
                layer.append(block(before, n, stride=stride, rngs=rngs))
                before = n * block.expansion
            layers.append(nnx.List(layer))
        self.layer1, self.layer2, self.layer3, self.layer4 = layers
        self.head = nnx.Linear(before, n_out, rngs=rngs)

    def stages(self, relu: Relu = jax.nn.relu) -> tuple[Stage, ...]:
        """conv1, pool, layer1 to layer4, mean (the embedding) and head."""
        layers = (self.layer1, self.layer2, self.layer3, self.layer4)
        return (
            Stage("conv1", lambda x, _: relu(self.conv1(x)), True),
            Stage("pool", lambda x, _: max_pool(x, 3, 2, 1), True),
            *(
                Stage(f"layer{i}", _through(layer, relu), True)
                for i, layer in enumerate(layers, 1)
            ),
            Stage("mean", lambda x, _: x.mean((1, 2)), False),
            Stage("head", lambda x, _: self.head(x), False),
        )


def _through(
    blocks: Iterable[BasicBlock | Bottleneck], relu: Relu
) -> Callable[[jax.Array, PRNGKey | None], jax.Array]:
    def run(x: jax.Array, key: PRNGKey | None) -> jax.Array:
        for block in blocks:
            x = block(x, relu)
        return x

    return run


def resnet18(
    n_channels: int, crop_px: int, *, n_out: int = 2, width: float, rngs: nnx.Rngs
) -> ResNet:
    """Eight blocks of two convolutions; 11,689,512 parameters with 1000 outputs."""
    depths = (2, 2, 2, 2)
    return ResNet(
        BasicBlock, depths, n_channels, crop_px, n_out=n_out, width=width, rngs=rngs
    )


def resnet50(
    n_channels: int, crop_px: int, *, n_out: int = 2, width: float, rngs: nnx.Rngs
) -> ResNet:
    """Sixteen blocks of three convolutions; 25,557,032 parameters with 1000 outputs."""
    depths = (3, 4, 6, 3)
    return ResNet(
        Bottleneck, depths, n_channels, crop_px, n_out=n_out, width=width, rngs=rngs
    )
