"""Files of samples: many images in few files, with the columns of a table for each image.

- Table columns and key of each sample, and the file that it belongs to: `records`, `plan`.
- Writing of a file: `containers`, `task`.
- Files that must still be written: `resume`.
- Table of all samples and list of files, in the same folder: `index`.
"""

from __future__ import annotations
