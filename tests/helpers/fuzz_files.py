"""Pass mutated image files to the readers until a reader raises an undocumented error.

    python -m tests.helpers.fuzz_files SEEDS -max_total_time=60

SEEDS is a folder of files to start with, to which libFuzzer adds files; further arguments are
options of libFuzzer. `tests/cxr_enhance/io/test_fuzz.py` makes the folder. The exit status is not 0
if an error was found.
"""

from __future__ import annotations

import sys
import warnings

import atheris

with atheris.instrument_imports(include=["cxr_enhance.io"]):
    from cxr_enhance import read_image
    from cxr_enhance.io import image_info

_MOST_PIXELS = 1 << 16  # keeps decoding fast, and tests the limit of pixels


def read_both(data):
    """Read `data` with both readers; raise if an error is not a sentence of the readers."""
    for read, options in ((image_info, {}), (read_image, {"max_pixels": _MOST_PIXELS})):
        try:
            got = read(data, **options)
        except ValueError as error:
            # The error for any other failure hides the error that a parser of ours raised.
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
