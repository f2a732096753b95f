"""The public operation `warmup`: pay for compilation at a time of your choosing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from cxr_enhance._engine.png_rows import filtered_rows
from cxr_enhance._enhance import enhance
from cxr_enhance._gray import rgb_to_gray
from cxr_enhance._params import EnhanceParams
from cxr_enhance._validation import check_dtypes
from cxr_enhance._white_balance import white_balance

if TYPE_CHECKING:
    from collections.abc import Iterable


def warmup(dtypes: Iterable[npt.DTypeLike] = (np.uint8, np.uint16)) -> None:
    """Load every kernel for images of `dtypes`, or compile it.

    Kernels are compiled when the package is installed as a wheel built on this machine. Where they
    are not, they are compiled when first called, which takes seconds, and kept on disk where a
    private directory can be written, after which the first call takes a fraction of a second. Call
    this where that wait does less harm: when a server starts, before worker processes fork, before
    timing.

    Parameters
    ----------
    dtypes : iterable of dtypes, default (uint8, uint16)
        Any of the two.

    Raises
    ------
    TypeError
        If a dtype is another.

    Notes
    -----
    The cache is in ``NUMBA_CACHE_DIR`` where that is set, else in the user's cache directory, else
    in a directory of the user's under the system's temporary one: the first that nobody but the
    user and root can change. Where there is none, kernels are compiled in memory.
    ``CXR_ENHANCE_CACHE=0`` turns it off. Processes that must compile the same kernel at once do it
    once: the others wait, for a minute at most. A fork waits until no thread compiles.
    ``cxr-enhance doctor`` tells what is used here, and why.

    Examples
    --------
    >>> import numpy as np, cxr_enhance
    >>> cxr_enhance.warmup([np.uint8])
    """
    for dtype in check_dtypes(dtypes):
        image = np.zeros((4, 4, 3), dtype)
        image[0, 0, 0] = 1
        # Tables of every value and of fewer bins come from kernels of their own.
        for num_bins in (None, 2):
            enhance(image[..., 0], EnhanceParams(tile_grid_size=(2, 2), num_bins=num_bins))
        enhance(image, EnhanceParams(tile_grid_size=(2, 2), output="rgb"))
        enhance(image, EnhanceParams(clip_limit=None))
        white_balance(image[..., 0])
        white_balance(image)
        rgb_to_gray(image)
        filtered_rows(image)
