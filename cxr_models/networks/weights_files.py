"""Inspection of HDF5 weights files, without a model and without reading the arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import h5py

_MAX_COMPRESSION = 100  # largest allowed ratio of the bytes of an array to its stored bytes
_ALWAYS_ALLOWED = 1 << 20  # bytes; arrays up to this size are allowed at any ratio

if TYPE_CHECKING:
    import os

    Shapes = list[tuple[int, ...]]


def check_confined(weights: str | os.PathLike[str]) -> None:
    """Raise if a weights file refers to other files, or has arrays of implausible size.

    Not every version of Keras makes these checks.

    Raises
    ------
    ValueError
        If the file contains a link, an array stored in another file, or an array that is much
        larger in memory than in the file.
    OSError
        If the file is not a complete HDF5 file.
    """
    with h5py.File(weights) as file:
        groups, addresses = [file], set()
        while groups:
            group = groups.pop()
            for name in group:
                if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                    raise ValueError(f"{name} in it is a link.")
                item = group[name]
                address = h5py.h5o.get_info(item.id).addr
                if isinstance(item, h5py.Group) and address not in addresses:
                    groups.append(item)
                elif isinstance(item, h5py.Dataset) and (item.is_virtual or item.external):
                    raise ValueError(f"{name} in it lies in another file.")
                elif isinstance(item, h5py.Dataset):
                    _check_stored_size(item)
                addresses.add(address)


def stored_shapes(weights: str | os.PathLike[str]) -> list[Shapes]:
    """Return the shapes of the arrays of every layer with arrays, both in no particular order.

    The arrays of a layer include those of layers inside of it.

    Parameters
    ----------
    weights : str or PathLike
        A file from `keras.Model.save_weights` (``.weights.h5``), or an older ``.h5`` file.

    Returns
    -------
    list of list of tuple of int
        Shapes of the arrays of each layer.

    Raises
    ------
    OSError
        If the file is not a complete HDF5 file.
    KeyError
        If the file names an array that it does not contain.
    """
    with h5py.File(weights) as file:
        if str(weights).endswith(".weights.h5"):
            layers = _groups(file.get("layers"))
            layers = layers or _groups(file.get("_layer_checkpoint_dependencies"))  # Keras 2.13
            stored = [_shapes_below(layer) for layer in layers]
        else:
            layers = _groups(file.get("model_weights", file))  # the group exists in whole models
            stored = [
                [layer[name].shape for name in layer.attrs.get("weight_names", ())]
                for layer in layers
            ]
        return [shapes for shapes in stored if shapes]


def _check_stored_size(item: h5py.Dataset) -> None:
    """Raise ValueError if an array needs far more memory than its stored bytes in the file."""
    stored = item.id.get_storage_size()
    if item.nbytes > max(_MAX_COMPRESSION * stored, _ALWAYS_ALLOWED):
        raise ValueError(
            f"{item.name} in it claims {item.nbytes:,} bytes, of which it holds {stored:,}."
        )


def _groups(group: Any) -> list[h5py.Group]:
    members = group.values() if isinstance(group, h5py.Group) else ()
    return [member for member in members if isinstance(member, h5py.Group)]


def _shapes_below(group: h5py.Group) -> Shapes:
    shapes: Shapes = []
    group.visititems(
        lambda _, item: shapes.append(item.shape) if isinstance(item, h5py.Dataset) else None
    )
    return shapes
