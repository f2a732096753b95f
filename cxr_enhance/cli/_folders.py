"""Checks of the paths of a run, and creation of its output folder."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cxr_enhance.io.folders import check_parent_references

if TYPE_CHECKING:
    from cxr_enhance.archive.settings import Settings

_OUT_RULE = "`--out` must be a folder or a name where one can be made"


def check_folders(settings: Settings) -> None:
    """Check the paths of the inputs, the output folder and the manifest; make no folder.

    Raises
    ------
    ValueError
        If a path cannot be used; the message names its option.
    """
    inputs, out = settings.inputs, settings.out
    if not out or not all(inputs):
        raise ValueError("`INPUT` and `--out` must name files and folders; got ''.")
    check_parent_references(out, "--out")
    for path in inputs:
        if os.path.isdir(path) and os.path.isdir(out) and os.path.samefile(path, out):
            raise ValueError(f"`--out` must not be an input folder; got {out!r}.")
    if os.path.lexists(out) and not os.path.isdir(out):
        raise ValueError(f"{_OUT_RULE}; got {out!r}: it is no folder.")
    manifest = settings.manifest
    if manifest is not None and (
        os.path.isdir(manifest) or not os.path.isdir(os.path.dirname(manifest) or ".")
    ):
        raise ValueError(
            f"`--manifest` must name a file in a folder that exists; got {manifest!r}."
        )


def make_folder(out: str) -> None:
    """Make the output folder if it does not exist.

    Raises
    ------
    ValueError
        If the folder cannot be made or written to.
    """
    try:
        os.makedirs(out, exist_ok=True)
    except OSError as error:
        raise ValueError(f"{_OUT_RULE}; got {out!r}: {error.strerror}.") from error
    if not os.access(out, os.W_OK | os.X_OK):
        raise ValueError(f"`--out` must be a folder that you may write to; got {out!r}.")
