"""The script of the child processes of `decode_in_child_process`; never imported.

The script imports nothing of this package, so that it starts fast. A question is a line of JSON
and a compressed frame; an answer is a line of JSON and the pixels. The process ends when the pipe
of questions is closed, and when a frame takes longer than its question allows.
"""

import contextlib
import faulthandler
import importlib
import json
import os
import sys
from typing import Any, BinaryIO

if sys.platform != "win32":
    import resource


def serve(source: BinaryIO, target: BinaryIO) -> None:
    """Answer questions until the source ends."""
    pixels = importlib.import_module("pydicom.pixels")
    while line := source.readline():
        question = json.loads(line)
        capsule = source.read(question["size"])
        # This timer also ends decoders that hold the interpreter's lock.
        faulthandler.dump_traceback_later(question["seconds"], exit=True)
        limit_memory(question["memory"])
        try:
            decoder = pixels.get_decoder(question["transfer_syntax"])
            image, _ = decoder.as_array(
                capsule, index=0, decoding_plugin=question["plugin"], **question["options"]
            )
        except Exception as error:  # any error is the frame's fault, or lack of memory
            answer: dict[str, Any] = {"size": 0, "error": str(error) or type(error).__name__}
            answer["memory"] = isinstance(error, MemoryError)
            body = b""
        else:
            body = image.tobytes()
            answer = {"size": len(body), "dtype": image.dtype.str, "shape": image.shape}
        faulthandler.cancel_dump_traceback_later()
        target.write(json.dumps(answer).encode("ascii") + b"\n")
        target.write(body)
        target.flush()


def limit_memory(more: int) -> None:
    """Let this process take `more` bytes than now, on systems that can limit memory."""
    if sys.platform != "linux":
        return
    with contextlib.suppress(OSError, ValueError):  # such as a lower limit set from outside
        with open("/proc/self/statm", encoding="ascii") as file:
            pages = int(file.read().split()[0])
        _, most = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + more, most))


if __name__ == "__main__":
    sys.path[:] = json.loads(sys.argv[1])
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # prints of codecs must not get among the answers
    serve(sys.stdin.buffer, answers)
