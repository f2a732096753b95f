"""`Session`: the state of one page, and the answers to its messages.

Messages are dictionaries of JSON types and bytes. A message that causes an error leaves the choice
unchanged; its answer holds the message of the error as ``error``.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from cxr_enhance._params import EnhanceParams
from cxr_enhance.archive.polarity import with_polarity
from cxr_enhance.archive.task import result_image
from cxr_enhance.io.write import encode_image
from cxr_enhance.tuner.choice import PRESETS, Choice
from cxr_enhance.tuner.shown import full_scale, gray_levels, shown, side_by_side, small
from cxr_enhance.tuner.source import Files, Source, source_of_bytes
from cxr_enhance.tuner.texts import params_of, texts_of
from cxr_enhance.tuner.tiles import clipped_shares, tile_size

if TYPE_CHECKING:
    from collections.abc import Callable

    from cxr_enhance._types import ImageU8
    from cxr_enhance.archive.hints import Hint
    from cxr_enhance.io.dicom.decode import Decoded

_MAX_SHEET = 48
_MAX_UPLOAD = 1 << 30

Answer = dict[str, Any]


class Session:
    """The state of one page: its files, the open image, and the values of the controls.

    Parameters
    ----------
    files : Files
        Files that the page can step through.
    choice : Choice
        Initial values of the controls.
    source : Source or None
        The first image; None opens the first image of `files`.
    """

    def __init__(self, files: Files, choice: Choice, source: Source | None = None) -> None:
        self._files = files
        self._source = source
        self.choice = choice
        self._upload: list[bytes] = []
        self._answers: dict[str, Callable[[dict[str, Any]], Answer]] = {
            "start": self._start,
            "render": self._render,
            "step": self._step,
            "upload": self._take_part,
            "params": self._take_params,
            "tiles": self._tiles,
            "sheet": self._sheet,
        }

    def answer(self, message: Any) -> Answer:
        """Carry out the request of a message.

        Parameters
        ----------
        message : dict
            ``ask`` names the request. ``id`` is returned with the answer.

        Returns
        -------
        dict
            The answer; in case of an error, it holds the error's message as ``error``.
        """
        if not isinstance(message, dict) or message.get("ask") not in self._answers:
            return {"error": "The page must ask for something known; reload it."}
        number = {"id": message.get("id"), "ask": message["ask"]}
        try:
            return number | self._answers[message["ask"]](message)
        except OSError as error:
            name = "" if error.filename is None else f"{error.filename}: "
            return number | self._place() | {"error": f"{name}{error.strerror or error}."}
        except (TypeError, ValueError, KeyError, ImportError, MemoryError) as error:
            return number | self._place() | {"error": str(error) or type(error).__name__}

    def still(self) -> bytes:
        """Return a small PNG of the open image: on the left before, on the right after.

        Raises
        ------
        ValueError
            If no image is open.
        """
        decoded = self._open().decoded
        after = result_image(decoded, self.choice.job(), []).image
        left, right = (small(shown(image, full_scale(image))) for image in (decoded.image, after))
        return bytes(encode_image(side_by_side(left, right), ".png", 95))

    def _start(self, _message: dict[str, Any]) -> Answer:
        begin = {
            "defaults": EnhanceParams().to_dict(),
            "presets": list(PRESETS),
            "choice": self.choice.to_dict(),
        }
        if self._source is None:
            try:
                self._source = self._files.step(1, self.choice.read)
            except (ValueError, OSError, ImportError, MemoryError) as error:
                return begin | {"error": str(error)} | self._place()
        if self._source is None and self._files.paths:
            return begin | {"error": "None of the files is an image."} | self._place()
        return begin | self._opened()

    def _step(self, message: dict[str, Any]) -> Answer:
        by = 1 if message["by"] > 0 else -1
        source = self._files.step(by, self.choice.read)
        if source is None:
            words = "no further image" if by > 0 else "no earlier image"
            return {"note": f"There is {words}."} | self._place()
        self._source = source
        return self._opened()

    def _take_part(self, message: dict[str, Any]) -> Answer:
        """Collect the parts of a file that the browser sends; open the file with the last part."""
        part, name = bytes(message["data"]), str(message["name"])
        if message["first"]:
            self._upload.clear()
        self._upload.append(part)
        if sum(map(len, self._upload)) > _MAX_UPLOAD:
            self._upload.clear()
            raise ValueError(f"A file that is dropped must have at most {_MAX_UPLOAD} bytes.")
        if not message["last"]:
            return {"more": True}
        content = b"".join(self._upload)
        self._upload.clear()
        self._source = source_of_bytes(name, content, self.choice.read)
        return self._opened()

    def _take_params(self, message: dict[str, Any]) -> Answer:
        try:
            params = EnhanceParams.from_json(message["text"])
        except (TypeError, ValueError) as error:
            raise ValueError(f"{error} File: {str(message['name'])!r}.") from error
        if params.channel_order != "rgb":
            raise ValueError(
                "`channel_order` must be 'rgb', the order files are read in; got "
                f"{params.channel_order!r}."
            )
        choice = Choice(params=params, voi=self.choice.voi, window=self.choice.window)
        picture = self._picture(choice)
        self.choice = choice
        return picture | {"choice": choice.to_dict()}

    def _render(self, message: dict[str, Any]) -> Answer:
        choice = Choice.from_dict(message["choice"])
        picture = self._picture(choice)
        self.choice = choice
        return picture

    def _opened(self) -> Answer:
        """Describe the image that was opened, and show it before and after."""
        source = self._source
        if source is None:
            return self._place()
        image = source.decoded.image
        description = f"{image.shape[1]} x {image.shape[0]}, {image.dtype}"
        if image.ndim == 3:
            description += ", colour"
        if source.window is not None:
            description += ", window {:g} / {:g}".format(*source.window)
        answer = {
            "name": source.name,
            "description": description,
            "is_dicom": source.is_dicom,
            "windows": None if source.values is None else _windows_of(source.values, source.window),
            "notes": _notes_on(source.decoded),
            "before": self._before(),
        }
        return answer | self._place() | self._picture(self.choice)

    def _place(self) -> Answer:
        return {"index": self._files.index, "count": len(self._files.paths)}

    def _before(self) -> Answer:
        image = self._open().decoded.image
        return _pixels(shown(image, full_scale(image)))

    def _picture(self, choice: Choice) -> Answer:
        """Return the image enhanced with `choice`; an empty answer if no image is open."""
        if self._source is None:
            return {}
        source = self._source.read_with(choice.read)
        hints: list[Hint] = []
        image = result_image(source.decoded, choice.job(), hints).image
        answer: Answer = {
            "after": _pixels(shown(image, full_scale(image))),
            "texts": texts_of(source, choice),
            "hints": [hint.sentence for hint in hints],
        }
        if source is not self._source:  # another VOI transform or window
            self._source = source
            answer["before"] = self._before()
        return answer

    def _open(self) -> Source:
        if self._source is None:
            raise ValueError("An image must be open. Open or drop a file.")
        return self._source

    def _tiles(self, message: dict[str, Any]) -> Answer:
        """Return the clipped share of each tile, row by row.

        The shares are None without CLAHE, with the preset "mimic-cxr-jpg", and if the result has
        another size than the image.
        """
        choice, source = Choice.from_dict(message["choice"]), self._open()
        job = choice.job()
        if job.params is None or choice.resizes:
            return {"shares": None}
        image, params = source.decoded.image, params_of(source.decoded, job.params)
        shares = clipped_shares(image, params)
        if shares is None:
            return {"shares": None}
        return {
            "shares": np.round(shares, 4).tolist(),
            "tile": list(tile_size(image, params)),
        }

    def _sheet(self, message: dict[str, Any]) -> Answer:
        """Return small images, one for each combination of clip limit and grid."""
        choice, source = Choice.from_dict(message["choice"]), self._open()
        limits, grids = message["limits"], message["grids"]
        if not limits or not grids or len(limits) * len(grids) > _MAX_SHEET:
            raise ValueError(
                f"A contact sheet must have 1 to {_MAX_SHEET} images; got "
                f"{len(limits)} clip limits and {len(grids)} grids."
            )
        panels = []
        for grid in grids:
            for limit in limits:
                options = choice.params.to_dict() | {"clip_limit": limit, "tile_grid_size": grid}
                params = EnhanceParams.from_dict(options)
                panel = dataclasses.replace(choice, params=params)
                image = result_image(source.decoded, panel.job(), []).image
                panels.append({
                    "clip_limit": params.clip_limit,
                    "tile_grid_size": list(params.tile_grid_size),
                    **_pixels(small(shown(image, full_scale(image))), levels=False),
                })  # fmt: skip
        return {"panels": panels, "columns": len(limits)}


def _notes_on(decoded: Decoded) -> list[str]:
    """Return the problems of an image as sentences, those that ``cxr-enhance run`` notes."""
    notes = []
    if decoded.notes:
        notes.append(f"DICOM header amiss: {'; '.join(decoded.notes)}.")
    _, polarity = with_polarity(decoded, "note", None)
    if polarity.note:
        notes.append(
            f"The image {polarity.note}. cxr-enhance run --invert auto turns such images over."
        )
    return notes


def _windows_of(
    values: tuple[float, float], window: tuple[float, float] | None
) -> dict[str, object]:
    """Return the file's window and the range of its values, for the sliders of the page."""
    low, high = values
    whole = max(high - low, 1.0)
    own = window or ((low + high) / 2, whole)
    return {"own": list(own), "low": low, "high": high}


def _pixels(image: ImageU8, *, levels: bool = True) -> Answer:
    """Return size, channels and bytes of an 8-bit image, and its histogram if `levels`."""
    height, width = image.shape[:2]
    answer: Answer = {
        "width": width,
        "height": height,
        "channels": 3 if image.ndim == 3 else 1,
        "pixels": image.tobytes(),
    }
    if levels:
        answer["levels"] = gray_levels(image)
    return answer
