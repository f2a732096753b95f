"""`TunerPage`: the page as a Panel component.

It passes messages of the browser to a session and sends the answers back.
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

try:
    from panel.custom import JSComponent
except ImportError as error:
    raise ImportError(
        'panel is needed to tune parameters. Install it with: pip install "panel>=1.9"'
    ) from error

if TYPE_CHECKING:
    from cxr_enhance.tuner.session import Session

_WEB = Path(__file__).parent / "web"
_SCRIPTS = ("viewer.js", "results.js", "controls.js", "page.js")


def _text_of(*names: str) -> str:
    return "\n".join((_WEB / name).read_text(encoding="utf-8") for name in names)


class TunerPage(JSComponent):  # type: ignore[misc]
    """The page of one session, for a server or for the output of a notebook's cell.

    Parameters
    ----------
    session : Session
        The session that answers the messages of the page.
    """

    _esm = _text_of(*_SCRIPTS)
    _stylesheets: ClassVar[list[str]] = [_text_of("page.css")]

    def __init__(self, session: Session, **options: Any) -> None:
        super().__init__(sizing_mode="stretch_width", **options)
        self._session = session

    def _handle_msg(self, data: Any) -> None:
        self._send_msg(self._session.answer(data))

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        """Add a picture of the image before and after, for viewers that run no scripts."""
        bundle = super()._repr_mimebundle_(include, exclude)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle or {}, {})
        picture = base64.b64encode(self._session.still()).decode()
        return data | {"image/png": picture}, metadata

    @property
    def params(self) -> Any:
        """The `EnhanceParams` that were chosen."""
        return self._session.choice.params
