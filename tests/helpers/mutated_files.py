"""Read thousands of mutated image files, and count undocumented errors and wrong results.

    python -m tests.helpers.mutated_files COUNT [SEED]

The script prints the counts. It stores each file with a fault, and a text about the fault, in the
working directory. The exit status is not 0 if there is a fault.
"""

from __future__ import annotations

import collections
import faulthandler
import pathlib
import random
import sys
import time
import traceback
import warnings

import numpy as np

from cxr_enhance import read_image
from cxr_enhance.io import image_info
from tests.helpers.fuzz_seeds import compressed_seeds, seeds

_MOST_PIXELS = 1 << 16
_TIMEOUT_S = 30
_SLOW_S = 5
_DOCUMENTED = (ValueError, OSError, ImportError, MemoryError)
_TELLING = (
    *(b"\0", b"\xff", b"\x7f\xff", b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x80\0\0\0"),
    *(b"\xff\xd8", b"\xff\xd9", b"\xfe\xff\0\xe0", b"\xfe\xff\xdd\xe0", b"\1\0\0\0", b"\0\0\0\1"),
)


def mutated(data, rng, others):
    """Return a file with one to six changes.

    A change flips a bit, sets a byte or a length, or removes, doubles or replaces a piece.
    """
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        size = len(changed)
        if not size:
            break
        # Most places are at the beginning, where headers usually are.
        place = rng.randrange(size if rng.random() < 0.4 else min(size, 600))
        length = rng.choice((1, 2, 4, 8, 32, 128))
        kind = rng.randrange(8)
        if kind == 0:
            changed[place] ^= 1 << rng.randrange(8)
        elif kind == 1:
            changed[place] = rng.randrange(256)
        elif kind == 2:
            telling = rng.choice(_TELLING)
            changed[place : place + len(telling)] = telling
        elif kind == 3:
            del changed[place : place + length]
        elif kind == 4:
            changed[place:place] = changed[place : place + length]
        elif kind == 5:
            other = rng.choice(others)
            start = rng.randrange(len(other))
            changed[place : place + length] = other[start : start + length]
        elif kind == 6 and rng.random() < 0.3:
            del changed[place:]
        else:
            value = rng.choice((0, 1, 2, 255, 256, 0xFFFE, 0xFFFF, size, size - place))
            order = rng.choice(("little", "big"))
            changed[place : place + 2] = (value & 0xFFFF).to_bytes(2, order)
    return bytes(changed)


def fault_of(data):
    """Read a file with both readers; return the kind of fault or None, and a text about it."""
    outcomes = []
    for read, options in ((image_info, {}), (read_image, {"max_pixels": _MOST_PIXELS})):
        try:
            outcomes.append(read(data, **options))
        except _DOCUMENTED as error:
            hidden = "that cannot be decoded (" in str(error) and error.__cause__ is not None
            if isinstance(error, ValueError) and (hidden or str(error)[:1] != "`"):
                return "undocumented", traceback.format_exc()
            outcomes.append(None)
        except BaseException:
            return "undocumented", traceback.format_exc()
    info, image = outcomes
    if image is None:
        return None, "refused"
    if image.dtype not in (np.uint8, np.uint16) or image.size > 3 * _MOST_PIXELS:
        return "wrong", f"{image.dtype} {image.shape}"
    if info is None or sorted((info.height, info.width)) != sorted(image.shape[:2]):
        return "wrong", f"{info} of {image.shape}"
    again = read_image(data, max_pixels=_MOST_PIXELS)
    if image.dtype != again.dtype or not np.array_equal(image, again):
        return "wrong", "another image when read again"
    return None, "read"


def main(count, seed):
    """Mutate and read `count` files; return the exit status."""
    warnings.simplefilter("ignore")
    rng = random.Random(seed)
    quick, apart = list(seeds()), list(compressed_seeds())
    counts = collections.Counter()
    for number in range(count):
        # Only one file in ten is decoded in a separate process, which takes longer.
        data = mutated(rng.choice(apart if number % 10 == 0 else quick), rng, quick + apart)
        pathlib.Path("last").write_bytes(data)  # stays if the process crashes or hangs
        faulthandler.dump_traceback_later(_TIMEOUT_S, exit=True)
        started = time.perf_counter()
        fault, said = fault_of(data)
        faulthandler.cancel_dump_traceback_later()
        if fault is None and time.perf_counter() - started > _SLOW_S:
            fault, said = "slow", f"{time.perf_counter() - started:.1f} s"
        counts[fault or said] += 1
        if fault is not None:
            pathlib.Path(f"{fault}-{number}").write_bytes(data)
            pathlib.Path(f"{fault}-{number}.txt").write_text(said)
    sys.stdout.write(f"{dict(counts)}\n")
    return int(any(counts[fault] for fault in ("undocumented", "wrong", "slow")))


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int((*sys.argv, 0)[2])))
