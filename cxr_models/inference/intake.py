"""The input format of an exported model, with checks that an export format supports it.

This module imports no deep-learning framework.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

from cxr_models._settings import suggestion
from cxr_models.inference.export_metadata import SUFFIXES, Format

if TYPE_CHECKING:
    from pathlib import Path

    from cxr_models.config import DataConfig

_FEWEST_BITS = 8  # smallest bit depth of an image
_CROP = "cxr_enhance.prepare(image, cxr_enhance.Preparation(params=None, crop_border=True)).image"


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """The input format of an exported model.

    Parameters
    ----------
    channels : {3, 1}, default 3
        Number of channels: 3 for RGB, in which gray images have three equal channels; 1 for gray.
    bit_depth : {8, 16}, default 8
        Bit depth of the images: 8 for uint8, 16 for uint16.
    size : (int, int) or None, default None
        Height and width of the images, in pixels; None accepts any size.
    white_balanced : bool, default False
        Whether the caller has applied white balance to the images. The caller applies it to the
        image as it was read or, if the run resizes first, to the resized image.
    border_cropped : bool, default False
        Whether the caller has cropped the borders of the images before any other step.

    Raises
    ------
    ValueError
        If `channels`, `bit_depth` or `size` has another value.
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
        """The dtype of the images: ``uint8`` or ``uint16``."""
        return f"uint{self.bit_depth}"


def settle_intake(data: DataConfig, intake: Intake, kind: Format) -> Intake:
    """Check an input format, and fill in the size if the export format or the run determines it.

    Parameters
    ----------
    data : DataConfig
        The settings of the run.
    intake : Intake
        The requested input format.
    kind : {"keras", "saved_model", "onnx", "litert"}
        The export format.

    Raises
    ------
    ValueError
        If the export format or the run does not support the input format.
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
        steps = steps_before(data, dataclasses.replace(intake, white_balanced=True))
        raise ValueError(
            "`--format litert` cannot hold white balance: LiteRT has no float64. Give "
            f"--white-balanced and change each image before with {', then '.join(steps)}"
            "; or take onnx or saved_model, which hold it."
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


def steps_before(data: DataConfig, intake: Intake) -> list[str]:
    """Return what the caller does to each ``image`` before the exported model gets it.

    Each step is a call in Python that returns the changed image, with the settings of the run.
    """
    steps = [_CROP] if intake.border_cropped else []
    if intake.white_balanced and data.enhance is not None:
        if data.order == "resize-first":
            steps.append(
                "cxr_enhance.prepare(image, cxr_enhance.Preparation(params=None, "
                f"size={data.image_size}, fit={data.fit!r}, interpolation='linear')).image"
            )
        bits = "" if data.enhance.bits is None else f", bits={data.enhance.bits}"
        steps.append(
            f"cxr_enhance.white_balance(image, percentiles={data.enhance.percentiles}{bits})"
        )
    return steps


def check_name(path: Path, kind: Format) -> None:
    """Raise ValueError if the suffix of `path` does not fit the export format `kind`."""
    suffix = SUFFIXES.get(kind)
    if suffix is not None and path.suffix != suffix:
        raise ValueError(f"`--out` must end in {suffix} for {kind}; got {str(path)!r}.")
    if suffix is None and path.suffix in SUFFIXES.values():
        raise ValueError(f"`--out` must be a folder for {kind}; got {str(path)!r}.")


def _check_border(data: DataConfig, intake: Intake) -> None:
    """Raise ValueError unless `intake` and the run agree about cropped borders."""
    if data.crop_border and not intake.border_cropped:
        raise ValueError(
            "`--border-cropped` must be given for a run with data.crop_border; got none. No graph "
            f"looks for borders, so images must be cropped before the model runs, with {_CROP}."
        )
    if intake.border_cropped and not data.crop_border:
        raise ValueError(
            "`--border-cropped` is only allowed for runs with data.crop_border; got a run without "
            "it."
        )


def _check_depth(data: DataConfig, intake: Intake) -> None:
    """Raise ValueError if the images have 8 bits but the enhancement of the run needs more."""
    if data.enhance is None or intake.bit_depth > _FEWEST_BITS:
        return
    for name, most in (("bits", _FEWEST_BITS), ("bit_shift", _FEWEST_BITS - 1)):
        value = getattr(data.enhance, name)
        if value is not None and value > most:
            raise ValueError(
                f"`--bit-depth` must be 16 for a run with enhance.{name} {value}; got "
                f"{intake.bit_depth}."
            )
