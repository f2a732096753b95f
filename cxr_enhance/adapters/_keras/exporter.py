"""Find the exporter that traces the calling layer, if there is one.

An exported graph may contain only operations of the target runtime. Exporters do not announce
themselves to layers. The module therefore looks for the functions of exporters on the call stack.
"""

from __future__ import annotations

import sys
from typing import NamedTuple

_MODULES = {
    "keras.src.export.onnx": "onnx",
    "keras.src.export.litert": "litert",
    "keras.src.export.saved_model": "saved_model",  # may be converted to another format later
    "tensorflow.python.saved_model.save": "saved_model",
}


class Exporter(NamedTuple):
    """The export format ("onnx", "litert" or "saved_model") and the requested ONNX opset.

    `opset_version` is None for other formats and where none was requested.
    """

    format: str
    opset_version: int | None


def current_exporter() -> Exporter | None:
    """Return the exporter that is on the call stack, or None."""
    saved_model = None
    frame = sys._getframe(1)
    while frame is not None:
        kind = _MODULES.get(frame.f_globals.get("__name__", ""))
        if kind == "saved_model":  # other exporters may call this one, so that the search goes on
            saved_model = Exporter(kind, None)
        elif kind is not None:
            return Exporter(kind, _opset_version(frame))
        frame = frame.f_back  # type: ignore[assignment]
    return saved_model


def _opset_version(frame: object) -> int | None:
    while frame is not None:
        if frame.f_code.co_name == "export_onnx":  # type: ignore[attr-defined]
            return frame.f_locals.get("opset_version")  # type: ignore[attr-defined,no-any-return]
        frame = frame.f_back  # type: ignore[attr-defined]
    return None
