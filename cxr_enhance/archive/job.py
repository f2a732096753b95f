"""`Job`: the options that determine the content of outputs; the manifest holds their digest."""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import json
import math
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

from cxr_enhance._params import EnhanceParams
from cxr_enhance.archive.polarity import Invert
from cxr_enhance.archive.selection import Selection
from cxr_enhance.io.options import ReadOptions
from cxr_enhance.preparation.options import Fit, Preparation

OutputFormat: TypeAlias = Literal["png", "jpeg", "npy", "dicom"]
Compression: TypeAlias = Literal["fast", "small"]
EXTENSIONS: dict[str, str] = {"png": ".png", "jpeg": ".jpg", "npy": ".npy", "dicom": ".dcm"}
# Endings of the name of a single output, and the format that each ending selects.
_ENDINGS: dict[str, OutputFormat] = {
    ".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".npy": "npy", ".dcm": "dicom",
    ".dicom": "dicom",
}  # fmt: skip
_OTHER_ENDINGS = (".bmp", ".gif", ".jfif", ".jpe", ".jp2", ".tif", ".tiff", ".webp")
MIMIC_CXR_JPG = "mimic-cxr-jpg"
STUDY_SIZE = (224, 224)


def is_image_ending(ending: str) -> bool:
    """Return whether a name with this `ending` (with its dot) names an image, not a folder."""
    return ending.lower() in (*_ENDINGS, *_OTHER_ENDINGS)


def format_of_ending(ending: str) -> OutputFormat:
    """Return the format of an output whose name ends with `ending`.

    Raises
    ------
    ValueError
        If no output format has this ending.
    """
    output_format = _ENDINGS.get(ending.lower())
    if output_format is None:
        *most, last = _ENDINGS
        raise ValueError(
            f"`--out` must end in {', '.join(most)} or {last} to name one image; got {ending!r}."
        )
    return output_format


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Options of a run over an archive.

    Parameters
    ----------
    params : EnhanceParams or None
        Options of the enhancement. None uses MIMIC-CXR-JPG's recipe instead: it maps minimum to
        maximum onto 0..255, then applies ``cv2.equalizeHist``.
    read : ReadOptions
        Options for reading files.
    output_format : {"png", "jpeg", "npy", "dicom"}
        Format of the outputs.
    quality : int
        Quality of JPEG, 1..100.
    compression : {"fast", "small"}
        Compression of PNG: "fast" compresses with ISA-L if it is installed, "small" with OpenCV.
        The pixels are the same.
    long_side : int or None
        Length of the longer side of the outputs, in pixels; the aspect ratio is kept. None does not
        use this option.
    size_wh : (int, int) or None
        Width and height of the outputs, in pixels. None does not use this option.
    fit : {"squash", "pad", "crop"}
        How an image of another aspect ratio is fitted to `size_wh`.
    spacing : float or None
        Height and width of an output pixel, in millimetres. None does not use this option. Without
        `long_side`, `size_wh` and `spacing`, outputs keep the size of the image.
    crop_border : bool
        Whether frames and the area that a collimator shades are cropped first.
    resize_first : bool
        True resizes images before the enhancement, False after it.
    interpolation : {"area", "linear"}
        ``cv2.INTER_AREA``, or ``cv2.INTER_LINEAR`` as in the COVIDLite study.
    strip_identity : bool
        Whether the headers of derived DICOM files keep only technique and geometry.
    pseudonym_key : bytes or None
        With `strip_identity`, key of the pseudonym that replaces PatientID; None leaves PatientID
        empty.
    invert : {"note", "auto", "yes", "no"}
        Whether black and white are exchanged; see `with_polarity`.
    selection : Selection
        Files that are enhanced; all other files are skipped. The selection does not change the
        content of outputs.
    """

    params: EnhanceParams | None
    read: ReadOptions = dataclasses.field(default_factory=ReadOptions)
    output_format: OutputFormat = "png"
    quality: int = 95
    compression: Compression = "fast"
    long_side: int | None = None
    size_wh: tuple[int, int] | None = None
    fit: Fit = "squash"
    spacing: float | None = None
    crop_border: bool = False
    resize_first: bool = False
    interpolation: Literal["area", "linear"] = "area"
    strip_identity: bool = False
    pseudonym_key: bytes | None = dataclasses.field(default=None, repr=False)
    invert: Invert = "note"
    selection: Selection = dataclasses.field(default_factory=Selection)

    def __post_init__(self) -> None:
        if self.output_format not in get_args(OutputFormat):
            raise ValueError(
                f"`--format` must be one of {', '.join(EXTENSIONS)}; got {self.output_format!r}."
            )
        if self.compression not in get_args(Compression):
            raise ValueError(
                f"`--compression` must be one of {', '.join(get_args(Compression))}; got "
                f"{self.compression!r}."
            )
        if self.invert not in get_args(Invert):
            raise ValueError(
                f"`--invert` must be one of {', '.join(get_args(Invert))}; got {self.invert!r}."
            )
        if self.long_side is not None and self.size_wh is not None:
            raise ValueError("`--long-side` must not be given with --size.")
        sides = (self.long_side,) if self.size_wh is None else self.size_wh
        if any(side is not None and not 1 <= side <= 65_535 for side in sides):
            name = "--long-side" if self.size_wh is None else "--size"
            shown = " ".join(map(str, sides))
            raise ValueError(f"`{name}` must be from 1 to 65535; got {shown}.")
        self._check_geometry()
        if not 1 <= self.quality <= 100:
            raise ValueError(f"`--quality` must be from 1 to 100; got {self.quality}.")
        if self.strip_identity and self.output_format != "dicom":
            raise ValueError(
                f"`--strip-identity` is only allowed with --format dicom; got --format "
                f"{self.output_format}, whose files have no header to strip."
            )
        if self.pseudonym_key is not None and not self.strip_identity:
            raise ValueError(
                "`--pseudonym-key` is only allowed with --strip-identity; without it PatientID "
                "stays as it is."
            )

    def _check_geometry(self) -> None:
        sizes = (self.long_side, self.size_wh)
        if self.fit not in get_args(Fit):
            raise ValueError(
                f"`--fit` must be one of {', '.join(get_args(Fit))}; got {self.fit!r}."
            )
        if self.fit != "squash" and self.size_wh is None:
            raise ValueError(f"`--fit` {self.fit} is only allowed with --size.")
        if self.spacing is not None and not (math.isfinite(self.spacing) and self.spacing > 0):
            raise ValueError(
                f"`--spacing` must be a positive number of millimetres; got {self.spacing}."
            )
        if self.spacing is not None and sizes != (None, None):
            raise ValueError("`--spacing` is only allowed without --long-side and --size.")
        if self.resize_first and sizes == (None, None) and self.spacing is None:
            raise ValueError(
                "`--resize-first` is only allowed with --long-side, --size or --spacing."
            )

    @property
    def preparation(self) -> Preparation:
        """Options of the preparation of each image: size, fit, crop and enhancement."""
        return Preparation(
            params=self.params,
            size=None if self.size_wh is None else (self.size_wh[1], self.size_wh[0]),
            fit=self.fit,
            long_side=self.long_side,
            spacing=self.spacing,
            crop_border=self.crop_border,
            order="resize-first" if self.resize_first else "enhance-first",
            interpolation=self.interpolation,
        )

    @property
    def extension(self) -> str:
        """Extension of the outputs, with its dot."""
        return EXTENSIONS[self.output_format]

    def to_dict(self) -> dict[str, Any]:
        """Return all options that determine the content of an output, as JSON types.

        The compression is left out, because outputs with the same pixels need not be made again.
        """
        options = {
            name: getattr(self, name)
            for name in ("output_format", "quality", "long_side", "size_wh", "resize_first",
                         "interpolation", "strip_identity")
        }  # fmt: skip
        if self.output_format != "jpeg":
            del options["quality"]
        if self.size_wh is not None:
            options["size_wh"] = list(self.size_wh)
        if self.long_side is None and self.size_wh is None and self.spacing is None:
            del options["interpolation"]
        # Newer options are added only if they are used, so that the digests of older rows stay
        # valid.
        if self.fit != "squash":
            options["fit"] = self.fit
        if self.spacing is not None:
            options["spacing"] = self.spacing
        if self.crop_border:
            options["crop_border"] = True
        if self.invert in ("auto", "yes"):  # "note" and "no" leave the pixels as they are
            options["invert"] = self.invert
        if self.pseudonym_key is not None:
            options["pseudonym_key"] = _fingerprint(self.pseudonym_key)
        recipe = {"recipe": MIMIC_CXR_JPG} if self.params is None else self.params.to_dict()
        read = dataclasses.asdict(self.read)
        window = read.pop("window")
        if window is not None:
            options["window"] = list(window)
        return {**recipe, **read, **options}

    def digest(self) -> str:
        """Return a hash of the options: twelve hexadecimal digits."""
        text = json.dumps(self.to_dict(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def _fingerprint(key: bytes) -> str:
    """Hash a key, so that a manifest shows which key was used without showing the key."""
    return hmac.new(key, b"cxr-enhance: which key", hashlib.sha256).hexdigest()[:8]
