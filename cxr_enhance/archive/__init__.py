"""Enhance whole folders and lists of files.

- Options of a run: `settings`, `job`, `selection`, `sources`.
- Files still to be enhanced: `plan`, `planned_files`, `resume`.
- Work on one file: `task`, `polarity`. Threads or processes that do the work: `engines`.
- Results and their rows: `outcome`, `recorder`, `manifest`, `summary`.
- The whole run: `run`. Inspection of files before a run: `check`, `findings`, `writing`.
"""

from __future__ import annotations
