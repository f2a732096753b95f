"""Feed mutated image files to the readers until one raises what none documents.

    python -m tests.helpers.fuzz_files SEEDS -max_total_time=60

SEEDS is a folder of files to begin with, which grows; the rest are options of libFuzzer. Made by
`tests/cxr_enhance/io/test_fuzz.py`; ends with another status than 0 where something was found.
"""

from __future__ import annotations

import sys
import warnings

import atheris

with atheris.instrument_imports(include=["cxr_enhance.io"]):
    from cxr_enhance import read_image
    from cxr_enhance.io import image_info

_MOST_PIXELS = 1 << 16  # keeps decoding cheap, and the limit tried


def read_both(data):
    """Read `data` in both ways; only sentences of the readers' own may come out."""
    for read, options in ((image_info, {}), (read_image, {"max_pixels": _MOST_PIXELS})):
        try:
            got = read(data, **options)
        except ValueError as error:
            # One of the last resort hides what a parser of ours raised.
            if "that cannot be decoded (" in str(error) and error.__cause__ is not None:
                raise error.__cause__ from None
            if not str(error).startswith("`"):
                raise
        else:
            if read is read_image:
                assert got.shape[0] * got.shape[1] <= _MOST_PIXELS


def main():
    """Run libFuzzer, which ends the process."""
    warnings.simplefilter("ignore")
    atheris.Setup(sys.argv, read_both)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
