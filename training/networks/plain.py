"""VGG with batch normalisation, and MobileNetV2, for pictures of 32 x 32 pixels."""

from torch import Tensor, nn

from .resnet import Shape, initialise

VGG16 = (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0)
"""Channels of the convolutions; 0 is a maximum over 2 x 2 pixels."""
VGG8 = (64, 0, 128, 0, 256, 0, 512, 0, 512)
MOBILENET = (
    (1, 16, 1, 1),
    (6, 24, 2, 1),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
"""Expansion, channels, repetitions, stride (the paper's stem and second row have stride 2, for larger pictures)."""


def vgg(shape: Shape, classes: int, channels: tuple[int, ...], narrower: int = 1) -> nn.Module:
    """VGG of Simonyan & Zisserman 2015 with batch normalisation and one linear layer, as is usual for CIFAR.

    VGG-8 is the student of Tian et al. 2020.

    Args:
        shape: height, width and channels of an image.
        classes: the number of classes.
        channels: of each convolution; 0 is a maximum over 2 x 2 pixels.
        narrower: the channels are divided by this.
    """
    layers, width = list[nn.Module](), shape[2]
    for out in (number // narrower for number in channels):
        if out == 0:
            layers.append(nn.MaxPool2d(2, ceil_mode=True))  # so that smaller pictures keep at least one pixel
        else:
            layers += [nn.Conv2d(width, out, 3, padding=1), nn.BatchNorm2d(out), nn.ReLU(inplace=True)]
            width = out
    return initialise(nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, classes)))


def mobilenetv2(shape: Shape, classes: int) -> nn.Module:
    """MobileNetV2 of Sandler et al. 2018 with the first two strides of 2 taken out; no dropout."""
    layers, width = [_unit(shape[2], 32, 3)], 32
    for expansion, out, repetitions, stride in MOBILENET:
        for repetition in range(repetitions):
            layers.append(Inverted(width, out, expansion, stride if repetition == 0 else 1))
            width = out
    layers.append(_unit(width, 1280, 1))
    return initialise(nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1280, classes)))


class Inverted(nn.Module):
    """Expand, filter channel by channel, project; with a shortcut where input and output have one shape."""

    def __init__(self, width: int, out: int, expansion: int, stride: int) -> None:
        super().__init__()
        inner = width * expansion
        expand = [] if expansion == 1 else [_unit(width, inner, 1)]
        project = [nn.Conv2d(inner, out, 1, bias=False), nn.BatchNorm2d(out)]
        self.body = nn.Sequential(*expand, _unit(inner, inner, 3, stride, groups=inner), *project)
        self.same = stride == 1 and width == out

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C', H / stride, W / stride)."""
        return x + self.body(x) if self.same else self.body(x)


def _unit(width: int, out: int, size: int, stride: int = 1, groups: int = 1) -> nn.Module:
    conv = nn.Conv2d(width, out, size, stride, padding=size // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(out), nn.ReLU6(inplace=True))
