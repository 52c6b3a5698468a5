# mypy: disable-error-code="misc, no-any-return"
"""The networks of the registry written by hand in PyTorch, for benches and golden outputs.

Names of parameters are those of torchvision for VGG and ResNet, our own for the rest.
PyTorch is an extra (pip install torch==2.13.0); nothing of the program imports this file.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional

VGG16 = (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0)
"""Channels of each convolution of VGG-16; 0 is a pool."""
RESNET = (64, 128, 256, 512)
COMPACT = {"compact_small": 0.5, "compact": 1.0, "compact_large": 2.0}
"""Width of each size of the compact network."""


def scaled(width: float, *channels: int) -> tuple[int, ...]:
    """These numbers of channels times a width factor, at least one each."""
    return tuple(max(1, round(width * n)) for n in channels)


class Sesmo(nn.Module):
    """Deep-SeSMo, valid padding; flattens channel first, as PyTorch does."""

    def __init__(
        self, n_channels: int, crop_px: int, *, n_out: int = 2, width: float = 1.0
    ) -> None:
        super().__init__()
        side = ((crop_px - 4) // 2 - 4) // 2
        a, b, c, d, e = scaled(width, 32, 32, 64, 128, 256)
        self.conv1, self.conv2 = nn.Conv2d(n_channels, a, 3), nn.Conv2d(a, b, 3)
        self.conv3, self.conv4 = nn.Conv2d(b, c, 3), nn.Conv2d(c, d, 3)
        self.dense, self.head = nn.Linear(side * side * d, e), nn.Linear(e, n_out)
        self.pool, self.drop, self.relu = nn.MaxPool2d(2), nn.Dropout(0.5), nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits [b n_out] of crops [b c y x]."""
        x = self.relu(self.conv2(self.relu(self.conv1(x))))
        x = self.drop(self.pool(x))
        x = self.relu(self.conv4(self.relu(self.conv3(x))))
        x = self.drop(self.pool(x)).flatten(1)
        return self.head(self.drop(self.relu(self.dense(x))))


class UnitConv(nn.Module):
    """A 3 x 3 convolution whose filters have mean 0 and length 1 times gain."""

    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(n_out, n_in, 3, 3) / (9 * n_in) ** 0.5)
        self.gain = nn.Parameter(torch.full((n_out,), 2.0**0.5))
        self.bias = nn.Parameter(torch.zeros(n_out))
        self.stride = stride

    def standardised(self) -> torch.Tensor:
        """The weights that the convolution takes."""
        centred = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
        length = (centred.square().sum((1, 2, 3), keepdim=True) + 1e-6).sqrt()
        return centred / length * self.gain[:, None, None, None]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Output side = input side / stride, rounded up."""
        weights = self.standardised()
        return functional.conv2d(x, weights, self.bias, stride=self.stride, padding=1)


class Compact(nn.Module):
    """The house network for small round objects; flattens channel first."""

    def __init__(
        self, n_channels: int, crop_px: int, *, n_out: int = 2, width: float = 1.0
    ) -> None:
        super().__init__()
        a, b, c = scaled(width, 16, 32, 64)
        self.fold, self.relu = nn.PixelUnshuffle(2), nn.ReLU()
        self.stem, self.second = UnitConv(4 * n_channels, a, 1), UnitConv(a, b, 2)
        self.third, self.fourth = UnitConv(b, c, 2), UnitConv(c, c, 1)
        self.dense = nn.Linear((crop_px // 8) ** 2 * c, 64)
        self.head = nn.Linear(64, n_out)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits [b n_out] of crops [b c y x]."""
        x = self.relu(self.stem(self.fold(x)))
        x = self.relu(self.third(self.relu(self.second(x))))
        x = x + self.relu(self.fourth(x))
        return self.head(self.relu(self.dense(x.flatten(1))))


class Vgg16(nn.Module):
    """VGG-16 (Simonyan and Zisserman 2015) without batch norm."""

    def __init__(
        self, n_channels: int, crop_px: int, *, n_out: int = 2, width: float = 1.0
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = n_channels
        for n in VGG16:
            if n == 0:
                layers.append(nn.MaxPool2d(2))
                continue
            (after,) = scaled(width, n)
            layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU(inplace=True)]
            before = after
        (hidden,) = scaled(width, 4096)
        self.features, self.avgpool = nn.Sequential(*layers), nn.AdaptiveAvgPool2d(7)
        dense = [nn.Linear(before * 49, hidden), nn.ReLU(inplace=True), nn.Dropout()]
        dense += [nn.Linear(hidden, hidden), nn.ReLU(inplace=True), nn.Dropout()]
        self.classifier = nn.Sequential(*dense, nn.Linear(hidden, n_out))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits [b n_out] of crops [b c y x]."""
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions and a shortcut."""

    expansion = 1

    def __init__(self, n_in: int, n: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(n_in, n, 3, stride, 1, bias=False)
        self.bn1, self.relu = nn.BatchNorm2d(n), nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(n, n, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(n)
        self.downsample = _shortcut(n_in, n, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The sum of both ways, at or above 0."""
        y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return self.relu(y + (x if self.downsample is None else self.downsample(x)))


class Bottleneck(nn.Module):
    """1 x 1, 3 x 3 (which strides) and 1 x 1 convolutions and a shortcut."""

    expansion = 4

    def __init__(self, n_in: int, n: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(n_in, n, 1, bias=False)
        self.bn1, self.relu = nn.BatchNorm2d(n), nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(n, n, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(n)
        self.conv3 = nn.Conv2d(n, 4 * n, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * n)
        self.downsample = _shortcut(n_in, 4 * n, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The sum of both ways, at or above 0."""
        y = self.relu(self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x))))))
        y = self.bn3(self.conv3(y))
        return self.relu(y + (x if self.downsample is None else self.downsample(x)))


def _shortcut(n_in: int, n_out: int, stride: int) -> nn.Module | None:
    if stride == 1 and n_in == n_out:
        return None
    conv = nn.Conv2d(n_in, n_out, 1, stride, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(n_out))


class ResNet(nn.Module):
    """ResNet (He et al. 2016) as torchvision builds it, of any width."""

    def __init__(
        self,
        block: type[BasicBlock] | type[Bottleneck],
        depths: tuple[int, ...],
        n_channels: int,
        *,
        n_out: int = 2,
        width: float = 1.0,
    ) -> None:
        super().__init__()
        widths = scaled(width, *RESNET)
        before = widths[0]
        self.conv1 = nn.Conv2d(n_channels, before, 7, 2, 3, bias=False)
        self.bn1, self.relu = nn.BatchNorm2d(before), nn.ReLU(inplace=True)
        self.maxpool, self.avgpool = nn.MaxPool2d(3, 2, 1), nn.AdaptiveAvgPool2d(1)
        for i, (n, depth) in enumerate(zip(widths, depths, strict=True)):
            blocks = []
            for j in range(depth):
                blocks.append(block(before, n, 2 if i and not j else 1))
                before = n * block.expansion
            self.add_module(f"layer{i + 1}", nn.Sequential(*blocks))
        self.fc = nn.Linear(before, n_out)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits [b n_out] of crops [b c y x]."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        for i in range(4):
            x = self.get_submodule(f"layer{i + 1}")(x)
        return self.fc(self.avgpool(x).flatten(1))


def build(
    name: str, n_channels: int, crop_px: int, *, n_out: int = 2, width: float = 1.0
) -> Any:
    """A network of the registry in PyTorch with random weights, in training mode."""
    if name in COMPACT:
        width = width * COMPACT[name]
        return Compact(n_channels, crop_px, n_out=n_out, width=width)
    if name == "resnet18":
        return ResNet(BasicBlock, (2, 2, 2, 2), n_channels, n_out=n_out, width=width)
    if name == "resnet50":
        return ResNet(Bottleneck, (3, 4, 6, 3), n_channels, n_out=n_out, width=width)
    makers: dict[str, Callable[..., nn.Module]] = {"sesmo": Sesmo, "vgg16": Vgg16}
    return makers[name](n_channels, crop_px, n_out=n_out, width=width)


def settled(network: Any) -> Any:
    """The network in evaluation mode, standardised weights computed once for all."""
    for name, child in list(network.named_children()):
        if isinstance(child, UnitConv):
            n_out, n_in = child.weight.shape[:2]
            plain = nn.Conv2d(n_in, n_out, 3, stride=child.stride, padding=1)
            plain.load_state_dict({"weight": child.standardised(), "bias": child.bias})
            setattr(network, name, plain)
    return network.eval()
