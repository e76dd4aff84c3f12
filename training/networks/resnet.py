"""ResNets and wide ResNets for pictures of 32 x 32 pixels."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Shape = tuple[int, int, int]


def cifar_resnet(shape: Shape, classes: int, depth: int, stem_stride: int = 1) -> nn.Module:
    """ResNet-8/20/32/56 of He et al. 2016, section 4.2: three stages of 16, 32, 64 channels, shortcuts without weights.

    Args:
        shape: height, width and channels of an image.
        classes: the number of classes.
        depth: 6 n + 2.
        stem_stride: 2 halves the picture in the first convolution, which makes a step four times cheaper.
    """
    blocks = (depth - 2) // 6
    layers: list[nn.Module] = [_conv(shape[2], 16, stem_stride), nn.BatchNorm2d(16), nn.ReLU(inplace=True)]
    width = 16
    for stage, out in enumerate((16, 32, 64)):
        for block in range(blocks):
            layers.append(Basic(width, out, stride=2 if stage and not block else 1, projection=False))
            width = out
    return initialise(nn.Sequential(*layers, *_head(64, classes)))


def resnet(shape: Shape, classes: int, blocks: tuple[int, int, int, int]) -> nn.Module:
    """ResNet-18 (2, 2, 2, 2) or ResNet-34 (3, 4, 6, 3) of He et al. 2016 with a 3 x 3 stem and no pooling after it."""
    layers: list[nn.Module] = [_conv(shape[2], 64), nn.BatchNorm2d(64), nn.ReLU(inplace=True)]
    width = 64
    for stage, (number, out) in enumerate(zip(blocks, (64, 128, 256, 512), strict=True)):
        for block in range(number):
            layers.append(Basic(width, out, stride=2 if stage and not block else 1, projection=True))
            width = out
    return initialise(nn.Sequential(*layers, *_head(512, classes)))


def wide_resnet(shape: Shape, classes: int, widen: int) -> nn.Module:
    """WRN-28-k of Zagoruyko & Komodakis 2016: pre-activation blocks, three stages of 16k, 32k, 64k channels."""
    layers: list[nn.Module] = [_conv(shape[2], 16)]
    width = 16
    for stage in range(3):
        out = 16 * widen * 2**stage
        for block in range(4):
            layers.append(PreActivation(width, out, stride=2 if stage and not block else 1))
            width = out
    return initialise(nn.Sequential(*layers, nn.BatchNorm2d(width), nn.ReLU(inplace=True), *_head(width, classes)))


class Basic(nn.Module):
    """Two 3 x 3 convolutions and a shortcut: a 1 x 1 convolution, or strided slices padded with zero channels."""

    def __init__(self, width: int, out: int, stride: int, projection: bool) -> None:
        super().__init__()
        self.conv1, self.bn1 = _conv(width, out, stride), nn.BatchNorm2d(out)
        self.conv2, self.bn2 = _conv(out, out), nn.BatchNorm2d(out)
        same = stride == 1 and width == out
        self.shortcut: nn.Module = nn.Identity()
        if not same:
            self.shortcut = _projection(width, out, stride) if projection else ZeroPadding(out - width, stride)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C', H / stride, W / stride)."""
        inner = F.relu(self.bn1(self.conv1(x)), inplace=True)
        return F.relu(self.bn2(self.conv2(inner)) + self.shortcut(x), inplace=True)


class PreActivation(nn.Module):
    """Normalisation and rectification before each convolution; a 1 x 1 convolution as shortcut where shapes change."""

    def __init__(self, width: int, out: int, stride: int) -> None:
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(width), _conv(width, out, stride)
        self.bn2, self.conv2 = nn.BatchNorm2d(out), _conv(out, out)
        self.shortcut = nn.Conv2d(width, out, 1, stride, bias=False) if stride > 1 or width != out else None

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C', H / stride, W / stride)."""
        active = F.relu(self.bn1(x))
        inner = self.conv2(F.relu(self.bn2(self.conv1(active)), inplace=True))
        return inner + (x if self.shortcut is None else self.shortcut(active))


class ZeroPadding(nn.Module):
    """The shortcut without parameters: every stride-th pixel, and extra channels of zeros after the existing ones.

    Pixels are taken by pooling over one pixel: the gradient of a slice would lose the channels-last memory format.
    """

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        self.channels, self.stride = channels, stride

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C + channels, H / stride, W / stride)."""
        return F.pad(F.avg_pool2d(x, 1, self.stride), (0, 0, 0, 0, 0, self.channels))


def initialise(network: nn.Module) -> nn.Module:
    """He's initialisation of every convolution; returns the network."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                torch.nn.init.zeros_(module.bias)
    return network


def _conv(width: int, out: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(width, out, 3, stride, padding=1, bias=False)


def _projection(width: int, out: int, stride: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(width, out, 1, stride, bias=False), nn.BatchNorm2d(out))


def _head(width: int, classes: int) -> tuple[nn.Module, ...]:
    return nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, classes)
