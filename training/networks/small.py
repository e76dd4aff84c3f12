"""Small students for the CPU: two multilayer perceptrons and a convolutional network."""

from torch import nn

from .resnet import Shape


def mlp(shape: Shape, classes: int) -> nn.Module:
    """Two hidden layers of 128 rectified units."""
    height, width, channels = shape
    inputs = height * width * channels
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(inputs, 128),
        nn.ReLU(),
        nn.Linear(128, 128),
        nn.ReLU(),
        nn.Linear(128, classes),
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


def cnn(shape: Shape, classes: int) -> nn.Module:
    """Three 3 x 3 convolutions (16, 32, 64 channels), the last two with stride 2, then the mean over positions."""
    return nn.Sequential(
        nn.Conv2d(shape[2], 16, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(32, 64, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(64, classes),
    )
