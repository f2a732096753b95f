"""Folders and lists of files to enhanced copies.

What was asked for: `settings`, `job`, `sources`. What to do: `plan`, `resume`. What is done to each
file: `task`. Who does it: `engines`. What became of it: `outcome`, `recorder`, `manifest`,
`summary`. All together: `run`.
"""

from __future__ import annotations
