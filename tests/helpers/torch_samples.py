"""PyTorch datasets that worker processes can import."""

from __future__ import annotations

import torch

from tests.helpers.images import make_image


class Samples(torch.utils.data.Dataset):
    """A dataset of eight colour images and their numbers; `transform` changes each image."""

    def __init__(self, transform=None):
        self.transform = transform

    def __len__(self):
        return 8

    def __getitem__(self, i):
        image = torch.from_numpy(make_image("radiograph", 33, 40, channels=3, seed=i))
        image = image.permute(2, 0, 1)
        return (self.transform(image) if self.transform else image), i


class Pictures(Samples):
    """A dataset of eight gray images, without numbers and without a transform."""

    def __getitem__(self, i):
        return torch.from_numpy(make_image("radiograph", 33, 40, seed=i))
