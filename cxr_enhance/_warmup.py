"""The public operation `warmup`: compile or load the kernels before they are needed."""

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
    """Load every kernel for images of `dtypes`; compile a kernel that is not compiled yet.

    A wheel that was built on this machine contains the compiled kernels. Otherwise a kernel is
    compiled at its first call, which takes seconds. The compiled kernel is kept on disk if a
    private directory can be written; later processes load it in a fraction of a second. Call
    `warmup` at a time when waiting does less harm: when a server starts, before worker processes
    fork, or before a timing.

    Parameters
    ----------
    dtypes : iterable of dtypes, default (uint8, uint16)
        Dtypes of the images: uint8, uint16 or both.

    Raises
    ------
    TypeError
        If a dtype is neither uint8 nor uint16.

    Notes
    -----
    The cache is in ``NUMBA_CACHE_DIR`` if that is set, else in the user's cache directory, else in
    a directory of the user inside the system's temporary directory. The first of these that only
    the user and root can change is used. If there is no such directory, kernels are compiled in
    memory. ``CXR_ENHANCE_CACHE=0`` turns the cache off. If several processes need the same kernel
    at once, one process compiles it and the others wait, for a minute at most. A fork waits until
    no thread compiles. ``cxr-enhance doctor`` shows which cache is used, and why.

    Examples
    --------
    >>> import numpy as np, cxr_enhance
    >>> cxr_enhance.warmup([np.uint8])
    """
    for dtype in check_dtypes(dtypes):
        image = np.zeros((4, 4, 3), dtype)
        image[0, 0, 0] = 1
        # Counting every value and counting fewer bins use different kernels.
        for num_bins in (None, 2):
            enhance(image[..., 0], EnhanceParams(tile_grid_size=(2, 2), num_bins=num_bins))
        enhance(image, EnhanceParams(tile_grid_size=(2, 2), output="rgb"))
        enhance(image, EnhanceParams(clip_limit=None))
        white_balance(image[..., 0])
        white_balance(image)
        rgb_to_gray(image)
        filtered_rows(image)
