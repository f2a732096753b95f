"""`Choice`: the checked values of the controls of a page, and the job that they describe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cxr_enhance._params import EnhanceParams
from cxr_enhance.archive.job import MIMIC_CXR_JPG, STUDY_SIZE, Job
from cxr_enhance.io.dicom.windowing import Voi
from cxr_enhance.io.options import ReadOptions

PRESETS = ("study", MIMIC_CXR_JPG)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The values of the controls of a page.

    Parameters
    ----------
    params : EnhanceParams
        Options of the enhancement; no effect with the preset "mimic-cxr-jpg".
    voi : {"auto", "window", "lut", "none"}
        VOI transform of DICOM files.
    window : (float, float) or None
        Center and width of a window that replaces the window of a DICOM file; None keeps it.
    preset : {"study", "mimic-cxr-jpg"} or None
        A preset of ``cxr-enhance run``; None uses no preset.
    """

    params: EnhanceParams
    voi: Voi = "auto"
    window: tuple[float, float] | None = None
    preset: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "window", self.read.window)
        if self.preset is not None and self.preset not in PRESETS:
            raise ValueError(
                f"`preset` must be None or one of {', '.join(PRESETS)}; got {self.preset!r}."
            )

    @property
    def read(self) -> ReadOptions:
        """Options for reading files."""
        return ReadOptions(voi=self.voi, window=self.window)

    @property
    def resizes(self) -> bool:
        """Whether the result has another size than the image."""
        return self.preset == "study"

    def job(self) -> Job:
        """Return the job of ``cxr-enhance run`` with these values."""
        if self.preset == MIMIC_CXR_JPG:
            return Job(params=None, read=self.read)
        if self.preset == "study":
            return Job(
                params=self.params,
                read=self.read,
                size_wh=STUDY_SIZE,
                resize_first=True,
                interpolation="linear",
            )
        return Job(params=self.params, read=self.read)

    def to_dict(self) -> dict[str, Any]:
        """Return the choice as JSON types."""
        return {
            "params": self.params.to_dict(),
            "voi": self.voi,
            "window": None if self.window is None else list(self.window),
            "preset": self.preset,
        }

    @classmethod
    def from_dict(cls, choice: Any) -> Choice:
        """Make a choice from the result of `to_dict`.

        Raises
        ------
        TypeError, ValueError
            If `choice` is not such a dictionary, or a value is not valid.
        """
        names = {"params", "voi", "window", "preset"}
        if not isinstance(choice, dict) or choice.keys() != names:
            raise ValueError("`choice` must have the names params, voi, window and preset.")
        params = EnhanceParams.from_dict(choice["params"])
        return cls(
            params=params, voi=choice["voi"], window=choice["window"], preset=choice["preset"]
        )
