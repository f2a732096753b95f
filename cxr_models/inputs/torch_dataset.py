"""Records to a dataset of PyTorch: one image and its label at a time; imports no TensorFlow."""

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
    """Images and labels of one part of a split; see `cxr_models.Split.to_torch`.

    Parameters
    ----------
    config : DataConfig
        Size, fit, border, order, enhancement and cache are taken from it.
    paths : sequence of str
        Files.
    targets : ndarray of shape (N,) or (N, K)
        Their classes; or of each of K findings 1, 0, or -1 where it is unknown.
    dtype : {"float32", "uint8"}, default "float32"
        Of the images: 0..1, or 0..255.
    transform : callable, optional
        From an image to what is returned in its place.

    Notes
    -----
    Picklable, where `transform` is, so that workers of a `DataLoader` are forked or spawned. Each
    worker reads one image at a time.
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
        """Return an image, of shape (C, H, W), and its label.

        Raises
        ------
        IndexError
            If there are fewer images.
        ValueError
            If the file holds no image.
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
        return {**self.__dict__, "_kept": None}  # a map of a file would be pickled whole

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self._kept = self._from_cache()

    def _from_cache(self) -> Images | None:
        folder = self._config.cache_dir
        return None if folder is None else cached_images(self._config, self._paths, folder)
