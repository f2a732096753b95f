"""Reading of the files of `--params`: enhancement options in the JSON of `EnhanceParams`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cxr_enhance._params import EnhanceParams

if TYPE_CHECKING:
    from pathlib import Path


def read_params(path: Path) -> EnhanceParams:
    """Read enhancement options from a JSON file.

    Raises
    ------
    ValueError
        If the file is not UTF-8 or not one JSON object, `EnhanceParams` does not allow a value, or
        the channel order is not "rgb", the order in which files are read.
    OSError
        If the file cannot be read.
    """
    try:
        params = EnhanceParams.from_json(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ValueError(f"`--params` must be a UTF-8 file; got {str(path)!r}: {error}.") from error
    except (TypeError, ValueError) as error:
        raise ValueError(f"{error} File: {str(path)!r}.") from error
    order = EnhanceParams().channel_order
    if params.channel_order != order:
        raise ValueError(
            f"`channel_order` must be {order!r} on the command line, where "
            f"files are read in that order; got {params.channel_order!r}. File: {str(path)!r}."
        )
    return params
