"""``python -m cxr_models``: the command line."""

from __future__ import annotations

import sys

from cxr_models.cli import main

if __name__ == "__main__":
    sys.exit(main())
