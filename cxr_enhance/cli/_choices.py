"""Enumerations of the words that options allow, from which typer makes the help."""

from __future__ import annotations

from enum import StrEnum


class FormatChoice(StrEnum):
    """Formats that `run` writes."""

    PNG = "png"
    JPEG = "jpeg"
    NPY = "npy"
    DICOM = "dicom"
    WEBDATASET = "webdataset"
    TFRECORD = "tfrecord"


class CompressionChoice(StrEnum):
    """Compressions of PNG."""

    FAST = "fast"
    SMALL = "small"


class PresetChoice(StrEnum):
    """Names of the presets."""

    STUDY = "study"
    MIMIC_CXR_JPG = "mimic-cxr-jpg"


class VoiChoice(StrEnum):
    """VOI transforms of DICOM files."""

    AUTO = "auto"
    WINDOW = "window"
    LUT = "lut"
    NONE = "none"


class FitChoice(StrEnum):
    """Ways to bring an image of another aspect ratio to a size."""

    SQUASH = "squash"
    PAD = "pad"
    CROP = "crop"


class InvertChoice(StrEnum):
    """Whether black and white are exchanged."""

    NOTE = "note"
    AUTO = "auto"
    YES = "yes"
    NO = "no"


class EngineChoice(StrEnum):
    """Engines that carry out the tasks."""

    LOCAL = "local"
    DASK = "dask"


class FailOnChoice(StrEnum):
    """Findings that can make `check` fail; ``any`` means all findings, ``none`` no finding."""

    UNREADABLE = "unreadable"
    BLANK = "blank"
    SATURATED = "saturated"
    LOW_DEPTH = "low-depth"
    INVERTED = "inverted"
    BURNED_IN_TEXT = "burned-in-text"
    LATERAL = "lateral"
    OTHER_MODALITY = "other-modality"
    EQUAL_PIXELS = "equal-pixels"
    ANY = "any"
    NONE = "none"


def word_of(choice: StrEnum | None) -> str | None:
    """Return the value of an option as a plain str; None if the option was not given."""
    return None if choice is None else choice.value
