"""The public operation `tune`: choose parameters by eye in a notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cxr_enhance._params import EnhanceParams
from cxr_enhance._validation import check_image

if TYPE_CHECKING:
    from cxr_enhance._types import Image


def tune(image: Image, params: EnhanceParams | None = None) -> Any:
    """Show an image before and after enhancement, with controls that change it, in a notebook.

    Parameters
    ----------
    image : ndarray of shape (H, W) or (H, W, 3), dtype uint8 or uint16
        Gray or colour image; not modified.
    params : EnhanceParams or None, default None
        Initial values of the controls; None uses the defaults.

    Returns
    -------
    cxr_enhance.tuner.page.TunerPage
        The page that the notebook shows. Its attribute ``params`` holds the chosen
        `EnhanceParams`.

    Raises
    ------
    TypeError
        If `image` is not an array of these dtypes, or `params` is neither an `EnhanceParams` nor
        None.
    ValueError
        If `image` has another shape.
    ImportError
        If the extra ``tune`` is not installed.

    See Also
    --------
    enhance

    Notes
    -----
    On the command line, ``cxr-enhance tune`` opens the same page for files and folders; see
    docs/tune.md.
    """
    image = check_image(image)
    if params is not None and not isinstance(params, EnhanceParams):
        raise TypeError(f"`params` must be an EnhanceParams or None; got {type(params).__name__}.")
    from cxr_enhance.tuner.notebook import page_of

    return page_of(image, params or EnhanceParams())
