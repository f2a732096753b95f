"""Make the page for one array, to be shown in a notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cxr_enhance.tuner.page import TunerPage  # isort: skip - it says how to install Panel

import panel

from cxr_enhance.tuner.choice import Choice
from cxr_enhance.tuner.session import Session
from cxr_enhance.tuner.source import Files, source_of_array

if TYPE_CHECKING:
    from cxr_enhance._params import EnhanceParams
    from cxr_enhance._types import Image


def page_of(image: Image, params: EnhanceParams) -> TunerPage:
    """Return the page of an array; load Panel's scripts from this machine into the notebook."""
    panel.extension(inline=True)
    session = Session(Files([]), Choice(params=params), source_of_array(image))
    return TunerPage(session)
