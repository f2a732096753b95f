"""Options of the command line to `EnhanceParams`; no default is written here."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cxr_enhance._params import EnhanceParams


@dataclass(frozen=True, slots=True, kw_only=True)
class EnhanceOptions:
    """What was typed; None and False where nothing was."""

    params_file: Path | None
    clip_limit: float | None
    tile_grid_size: tuple[int, int] | None
    percentiles: tuple[float, float] | None
    bit_shift: int | None
    no_white_balance: bool
    no_clahe: bool

    def to_params(self) -> EnhanceParams:
        """Return the params of the file, or the defaults, changed by what was typed.

        Raises
        ------
        TypeError, ValueError
            In the words of `EnhanceParams`, or if two options contradict each other.
        OSError
            If the file of params cannot be read.
        """
        if self.no_white_balance and self.percentiles is not None:
            raise ValueError("`--percentiles` must not be given with --no-white-balance.")
        if self.no_clahe and not (
            self.clip_limit is None and self.tile_grid_size is None and self.bit_shift is None
        ):
            raise ValueError(
                "`--clip-limit`, `--tile-grid-size` and `--bit-shift` must not be given with "
                "--no-clahe."
            )
        typed: dict[str, Any] = {
            name: value
            for name in ("clip_limit", "tile_grid_size", "percentiles", "bit_shift")
            if (value := getattr(self, name)) is not None
        }
        if self.no_white_balance:
            typed["percentiles"] = None
        if self.no_clahe:
            typed["clip_limit"] = None
        return dataclasses.replace(_params_of(self.params_file), **typed)


def _params_of(path: Path | None) -> EnhanceParams:
    if path is None:
        return EnhanceParams()
    try:
        params = EnhanceParams.from_json(path.read_text(encoding="utf-8"))
    except (TypeError, ValueError) as error:
        raise type(error)(f"{error} File: {str(path)!r}.") from error
    order = EnhanceParams().channel_order
    if params.channel_order != order:
        raise ValueError(
            f"`channel_order` must be {order!r} on the command line, where "
            f"files are read in that order; got {params.channel_order!r}. File: {str(path)!r}."
        )
    return params
