"""Files of samples: many images in few files, with the columns of a table for each image.

- The sample of each image and its file: `records`, `plan`.
- The writing of a file: `containers`, `task`.
- The files that are still to be written: `resume`.
- The table of samples and the list of files beside them: `index`.
"""

from __future__ import annotations
