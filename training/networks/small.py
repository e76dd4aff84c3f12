"""Small students for the CPU: two multilayer perceptrons and a convolutional network."""

from torch import nn

from .resnet import Shape


def mlp(shape: Shape, classes: int, hidden: int = 128) -> nn.Module:
    """Two hidden layers of 128 rectified units, or of another number."""
    height, width, channels = shape
    inputs = height * width * channels
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(inputs, hidden),
        nn.ReLU(),
        nn.Linear(hidden, hidden),
        nn.ReLU(),
        nn.Linear(hidden, classes),
    )


def tanh_mlp(shape: Shape, classes: int) -> nn.Module:
    """One hidden layer of 64 tanh units: smooth, as the theorems on convergence ask."""
    height, width, channels = shape
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(height * width * channels, 64),
        nn.Tanh(),
        nn.Linear(64, classes),
    )


def cnn(shape: Shape, classes: int, widen: int = 1) -> nn.Module:
    """Three 3 x 3 convolutions (16, 32, 64 channels), the last two with stride 2, then the mean over positions."""
    first, second, third = 16 * widen, 32 * widen, 64 * widen
    return nn.Sequential(
        nn.Conv2d(shape[2], first, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(first, second, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(second, third, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(third, classes),
    )
