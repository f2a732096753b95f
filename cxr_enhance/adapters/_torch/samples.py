"""Find the images in a sample, by the rules of torchvision's v2 transforms."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.utils import _pytree as pytree

from cxr_enhance.adapters._torch import pil

if TYPE_CHECKING:
    from collections.abc import Callable


def map_images(function: Callable[[Any], Any], sample: Any) -> Any:
    """Return `sample` with `function` applied to its images.

    Parameters
    ----------
    function : callable
        Function that takes an image and returns an image.
    sample : object
        Nested tuples, lists and dictionaries that hold images and other values.

    Raises
    ------
    TypeError
        If the sample holds no image.

    Notes
    -----
    PIL images and torchvision's ``tv_tensors.Image`` are images. If the sample holds neither, the
    first tensor or array of two or more axes is the image; labels have fewer axes. All other values
    are returned unchanged.
    """
    leaves, structure = pytree.tree_flatten(sample)
    places = [i for i, leaf in enumerate(leaves) if _is_named_image(leaf)]
    if not places:
        places = [i for i, leaf in enumerate(leaves) if _may_be_image(leaf)][:1]
    if not places:
        kinds = ", ".join(type(leaf).__name__ for leaf in leaves[:6]) or "nothing"
        raise TypeError(
            "`sample` must hold an image: a tensor, a NumPy array or a PIL image; got "
            f"{type(sample).__name__} of {kinds}. Convert images with np.asarray."
        )
    for i in places:
        leaves[i] = function(leaves[i])
    return pytree.tree_unflatten(leaves, structure)


def _is_named_image(value: Any) -> bool:
    kinds = _kinds()
    return pil.is_image(value) or (kinds is not None and isinstance(value, kinds.Image))


def is_marked_otherwise(value: Any) -> bool:
    """Return whether `value` has a torchvision type for non-images, such as masks or boxes."""
    kinds = _kinds()
    return (
        kinds is not None
        and isinstance(value, kinds.TVTensor)
        and not isinstance(value, kinds.Image)
    )


def _may_be_image(value: Any) -> bool:
    return (
        not is_marked_otherwise(value)
        and isinstance(value, torch.Tensor | np.ndarray)
        and (getattr(value, "is_nested", False) or value.ndim >= 2)
    )


def _kinds() -> Any:
    """Return the module `torchvision.tv_tensors`, or None if it is not imported.

    Without the module, no value can have one of its types.
    """
    return sys.modules.get("torchvision.tv_tensors")
