"""Folders and lists of files to enhanced copies.

What to do: `sources`, `plan`, `resume`. What is done to each file: `job`, `task`. Who does it:
`local`, `cluster`. What became of it: `outcome`, `manifest`, `summary`. All together: `run`.
"""

from __future__ import annotations
