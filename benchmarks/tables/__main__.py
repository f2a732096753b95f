"""Run `make_tables`."""

import sys

from benchmarks.tables.make_tables import main

sys.exit(main())
