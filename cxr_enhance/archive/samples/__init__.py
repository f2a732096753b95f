"""Many images in few files, with what a table says of each: what training reads fastest.

What goes where: `records`, `plan`. How a file is written: `containers`, `task`. What is left to do:
`resume`. What lies beside the files in the end: `index`.
"""

from __future__ import annotations
