"""Decodes frames in a process of its own; run as a script by `_decode_apart`, never imported.

Knows nothing of this package, so that it starts soon: a question is a line of JSON and a
compressed frame, an answer a line of JSON and the pixels. Ends when nobody asks any more.
"""

import importlib
import json
import os
import sys
from typing import Any, BinaryIO


def serve(source: BinaryIO, target: BinaryIO) -> None:
    """Answer questions until the source ends."""
    pixels = importlib.import_module("pydicom.pixels")
    while line := source.readline():
        question = json.loads(line)
        capsule = source.read(question["size"])
        try:
            decoder = pixels.get_decoder(question["transfer_syntax"])
            image, _ = decoder.as_array(
                capsule, index=0, decoding_plugin=question["plugin"], **question["options"]
            )
        except Exception as error:  # whatever it is, it is the frame's fault or want of memory
            answer: dict[str, Any] = {"size": 0, "error": str(error) or type(error).__name__}
            answer["memory"] = isinstance(error, MemoryError)
            body = b""
        else:
            body = image.tobytes()
            answer = {"size": len(body), "dtype": image.dtype.str, "shape": image.shape}
        target.write(json.dumps(answer).encode("ascii") + b"\n" + body)
        target.flush()


if __name__ == "__main__":
    sys.path[:] = json.loads(sys.argv[1])
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what codecs print must not get among the answers
    serve(sys.stdin.buffer, answers)
