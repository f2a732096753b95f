"""Folders and lists of files to enhanced copies.

What was asked for: `settings`, `job`, `selection`, `sources`. What to do: `plan`, `resume`. What is
done to each file: `task`, `polarity`. Who does it: `engines`. What became of it: `outcome`,
`recorder`, `manifest`, `summary`. All together: `run`. A look before: `check`, `findings`,
`writing`.
"""

from __future__ import annotations
