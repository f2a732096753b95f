"""Which exporter, if any, is tracing the layer that asks.

A graph that is to leave TensorFlow may hold only what its runtime has, and an exporter tells a
layer nothing: its functions are found on the stack.
"""

from __future__ import annotations

import sys
from typing import NamedTuple

_MODULES = {
    "keras.src.export.onnx": "onnx",
    "keras.src.export.litert": "litert",
    "keras.src.export.saved_model": "saved_model",  # may be converted further
    "tensorflow.python.saved_model.save": "saved_model",
}


class Exporter(NamedTuple):
    """A format, "onnx", "litert" or "saved_model", and the ONNX operator set asked for."""

    format: str
    opset_version: int | None


def current_exporter() -> Exporter | None:
    """Return the exporter whose call led here, or None."""
    saved_model = None
    frame = sys._getframe(1)
    while frame is not None:
        kind = _MODULES.get(frame.f_globals.get("__name__", ""))
        if kind == "saved_model":  # which the others may pass through
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
