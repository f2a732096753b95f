"""A PyTorch dataset of images and targets; does not import TensorFlow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

try:
    import torch
except ModuleNotFoundError as error:
    if error.name != "torch":  # a dependency of PyTorch is missing
        raise
    raise ImportError(
        "torch is needed for cxr_models.inputs.torch_dataset. "
        'Install it with: pip install "cxr-enhance[torch]"'
    ) from error

from cxr_models.inputs.loader import ImageLoader, cached_images

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cxr_models.config import DataConfig
    from cxr_models.inputs.loader import Images
    from cxr_models.inputs.targets import Targets

Dtype = Literal["float32", "uint8"]


class RadiographDataset(torch.utils.data.Dataset):  # type: ignore[misc]
    """Images and targets of one part of a split; `cxr_models.Split.to_torch` makes it.

    Parameters
    ----------
    config : DataConfig
        Settings of the images: size, fit, border, order, enhancement and cache.
    paths : sequence of str
        Paths of N image files.
    targets : ndarray of shape (N,) or (N, K)
        Targets of the images. With shape (N,): the index of the class, or 1 for the positive class
        and 0 for the others. With shape (N, K): for each of K findings 1 (present), 0 (absent) or
        -1 (unknown).
    dtype : {"float32", "uint8"}, default "float32"
        Data type of the images. ``float32`` images have values 0..1, ``uint8`` images 0..255.
    transform : callable, optional
        Function that is called with each image tensor. The dataset returns its result instead of
        the image. None returns the image.

    Notes
    -----
    The dataset can be pickled if `transform` can be pickled. Workers of a `DataLoader` can
    therefore be forked or spawned. Each worker reads one image at a time.
    """

    def __init__(
        self,
        config: DataConfig,
        paths: Sequence[str],
        targets: Targets,
        *,
        dtype: Dtype = "float32",
        transform: Callable[[torch.Tensor], object] | None = None,
    ) -> None:
        self._config = config
        self._paths = list(paths)
        self._targets = targets.astype(np.int64)
        self._dtype = getattr(torch, dtype)
        self._transform = transform
        self._load = ImageLoader(config)
        self._kept = self._from_cache()

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, index: int) -> tuple[Any, torch.Tensor]:
        """Return one image, of shape (C, H, W), and its target, of dtype int64.

        `transform`, if given, is applied to the image.

        Raises
        ------
        IndexError
            If `index` is out of range.
        ValueError
            If the file does not contain an image that can be read.
        OSError
            If the file cannot be read.
        """
        path = self._paths[index]
        pixels = self._load.load(path) if self._kept is None else self._kept[index]
        image = torch.from_numpy(np.array(pixels.transpose(2, 0, 1), order="C"))
        if self._dtype == torch.float32:
            image = image.to(torch.float32).div_(255)
        label = torch.as_tensor(self._targets[index])
        return (image if self._transform is None else self._transform(image)), label

    def __getstate__(self) -> dict[str, object]:
        # Pickle would copy all bytes of the memory-mapped cache.
        return {**self.__dict__, "_kept": None}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._kept = self._from_cache()

    def _from_cache(self) -> Images | None:
        folder = self._config.cache_dir
        return None if folder is None else cached_images(self._config, self._paths, folder)
