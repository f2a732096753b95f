"""``python -m cxr_enhance``: the command line."""

from __future__ import annotations

import sys

from cxr_enhance.cli import main

if __name__ == "__main__":
    sys.exit(main())
