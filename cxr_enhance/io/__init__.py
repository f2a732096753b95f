"""Files in, files out: pixels as they are stored, nothing enhanced.

Knows nothing of kernels. OpenCV does the decoding and encoding; it is imported on first use.
"""

from __future__ import annotations

from cxr_enhance.io.read import read_image
from cxr_enhance.io.write import write_image

__all__ = ["read_image", "write_image"]
