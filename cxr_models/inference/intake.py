"""What an exported model takes in, and whether a format can hold it; imports no framework."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

from cxr_models._settings import suggestion
from cxr_models.inference.export_metadata import SUFFIXES, Format

if TYPE_CHECKING:
    from pathlib import Path

    from cxr_models.config import DataConfig

_FEWEST_BITS = 8  # of an image


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """What an exported model takes in.

    Parameters
    ----------
    channels : {3, 1}, default 3
        RGB, in which gray images are three equal channels; or gray alone.
    bit_depth : {8, 16}, default 8
        uint8 or uint16.
    size : (int, int) or None, default None
        Height and width; None takes any.
    white_balanced : bool, default False
        Whether white balance has been done before: on the image as it was read, or where the run
        resizes first, on the image as it was resized.
    border_cropped : bool, default False
        Whether borders have been cropped before anything else was done to the image.
    """

    channels: int = 3
    bit_depth: int = 8
    size: tuple[int, int] | None = None
    white_balanced: bool = False
    border_cropped: bool = False

    def __post_init__(self) -> None:
        if self.channels not in (1, 3):
            raise ValueError(f"`channels` must be 1 or 3; got {self.channels!r}.")
        if self.bit_depth not in (8, 16):
            raise ValueError(f"`bit_depth` must be 8 or 16; got {self.bit_depth!r}.")
        if self.size is not None and (len(self.size) != 2 or min(self.size) < 1):
            raise ValueError(
                f"`input_size` must be two positive ints (height, width); got {self.size!r}."
            )

    @property
    def dtype(self) -> str:
        """uint8 or uint16."""
        return f"uint{self.bit_depth}"


def settle_intake(data: DataConfig, intake: Intake, kind: Format) -> Intake:
    """Return `intake` with what the format and the run leave no choice in.

    Raises
    ------
    ValueError
        If the format cannot hold what is asked for.
    """
    if kind not in get_args(Format):
        raise ValueError(
            f"`--format` must be one of {', '.join(get_args(Format))}; got {kind!r}."
            f"{suggestion(kind, get_args(Format))}"
        )
    _check_depth(data, intake)
    _check_border(data, intake)
    balances = data.enhance is not None and data.enhance.percentiles is not None
    if intake.white_balanced and not balances:
        raise ValueError(
            "`--white-balanced` is only allowed for runs with white balance; got a run without it."
        )
    if kind == "litert" and balances and not intake.white_balanced:
        raise ValueError(
            "`--format litert` cannot hold white balance: LiteRT has no float64. Give "
            "--white-balanced for a model of images that went through cxr_enhance.white_balance "
            "before, or take onnx or saved_model, which hold it."
        )
    resized_before = intake.white_balanced and data.order == "resize-first"
    if resized_before and intake.size not in (None, data.image_size):
        raise ValueError(
            f"`--input-size` must be {data.image_size} with --white-balanced, as this run balances "
            f"images after they are resized; got {intake.size!r}."
        )
    if intake.size is None and (resized_before or kind == "litert"):
        if data.order == "enhance-first":
            raise ValueError(
                "`--input-size` must be given for litert and this run; got none. LiteRT takes "
                "images of one size, and the run enhances images before it resizes them."
            )
        return dataclasses.replace(intake, size=data.image_size)
    return intake


def check_name(path: Path, kind: Format) -> None:
    """Raise unless the suffix of `path` is that of `kind`."""
    suffix = SUFFIXES.get(kind)
    if suffix is not None and path.suffix != suffix:
        raise ValueError(f"`--out` must end in {suffix} for {kind}; got {str(path)!r}.")
    if suffix is None and path.suffix in SUFFIXES.values():
        raise ValueError(f"`--out` must be a folder for {kind}; got {str(path)!r}.")


def _check_border(data: DataConfig, intake: Intake) -> None:
    """Refuse to leave out what the run has, and the other way round."""
    if data.crop_border and not intake.border_cropped:
        raise ValueError(
            "`--border-cropped` must be given for a run with data.crop_border; got none. No graph "
            "looks for borders: whoever runs the model crops each image before, with "
            "cxr_enhance.prepare(image, cxr_enhance.Preparation(params=None, crop_border=True))."
        )
    if intake.border_cropped and not data.crop_border:
        raise ValueError(
            "`--border-cropped` is only allowed for runs with data.crop_border; got a run without "
            "it."
        )


def _check_depth(data: DataConfig, intake: Intake) -> None:
    """Refuse 8 bits for a run whose options need more."""
    if data.enhance is None or intake.bit_depth > _FEWEST_BITS:
        return
    for name, most in (("bits", _FEWEST_BITS), ("bit_shift", _FEWEST_BITS - 1)):
        value = getattr(data.enhance, name)
        if value is not None and value > most:
            raise ValueError(
                f"`--bit-depth` must be 16 for a run with enhance.{name} {value}; got "
                f"{intake.bit_depth}."
            )
