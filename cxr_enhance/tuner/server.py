"""A web server of pages, reachable only from this machine and only with a secret address.

The address contains a random token. The paths of all pages, scripts and web sockets begin with this
token. The server refuses requests that use another host name than its own address; such requests
come from a foreign page whose host name was changed to point to this machine (DNS rebinding). It
also refuses requests from other pages.
"""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, Any

from cxr_enhance.tuner.page import TunerPage  # isort: skip - it says how to install Panel

from bokeh.settings import settings
from panel.io.resources import LOCAL_DIST
from panel.io.server import get_server
from panel.io.state import state
from tornado.ioloop import PeriodicCallback
from tornado.routing import Matcher, Rule, RuleRouter
from tornado.web import Application, RedirectHandler

if TYPE_CHECKING:
    from collections.abc import Callable

    from tornado.httputil import HTTPServerRequest

    from cxr_enhance.tuner.session import Session

HOST = "127.0.0.1"
_IDLE_S = 10.0
_POLL_MS = 500
# Seconds after which Panel removes a session without a page. On a busy machine, a browser opens the
# web socket of a page seconds after the page. If its session were removed before that, the page
# would not work. The sessions of closed pages are kept as long.
_UNUSED_S = 60
_MAX_MESSAGE = 1 << 23  # bytes; the browser sends dropped files in parts of 1 MiB
# The policy allows the page to load from and send to this server only. Panel's scripts need to
# evaluate text and to load modules from `blob:`.
_PAGE = """
{% block preamble %}
<meta http-equiv="Content-Security-Policy" content="default-src 'none';
  script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline';
  img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' ws://{{ host }} blob:;
  base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<link rel="icon" href="data:,">
<style>
  html, body { background: #ffffff; --least-height: 100vh; }
  @media (prefers-color-scheme: dark) { html, body { background: #14171a; } }
</style>
{% endblock %}
"""


class _OwnRequests(Matcher):  # type: ignore[misc]
    """Match requests that use this server's address and come from its own page.

    Other requests get a 404. The browser's offer to compress web socket messages is removed from
    all requests, because on one machine compression takes longer than sending.
    """

    def __init__(self, origin: str) -> None:
        self._origin = origin

    def match(self, request: HTTPServerRequest) -> dict[str, Any] | None:
        origins = request.headers.get_list("Origin")
        is_own = request.host == self._origin and origins in ([], [f"http://{self._origin}"])
        request.headers.pop("Sec-WebSocket-Extensions", None)
        return {} if is_own else None


class _FirstRequest(_OwnRequests):
    """Match the first request for one path, by the rules of `_OwnRequests`."""

    def __init__(self, origin: str, path: str) -> None:
        super().__init__(origin)
        self._path: str | None = path

    def match(self, request: HTTPServerRequest) -> dict[str, Any] | None:
        if request.path != self._path:
            return None
        found = super().match(request)
        if found is not None:
            self._path = None
        return found


class TunerServer:
    """A server that makes a new session for each page that is opened.

    Parameters
    ----------
    new_session : callable
        Function that returns the session of a page.

    Attributes
    ----------
    address : str
        Address of the page, with the token.
    one_time_address : str
        An address that redirects to `address` once. A browser is started with this address, because
        other users of the machine can see the arguments of programs.
    """

    def __init__(self, new_session: Callable[[], Session]) -> None:
        self._new_session = new_session
        settings.resources = "server"  # overrides the environment, as do the origins below
        token = secrets.token_urlsafe(32)
        self._server = get_server(
            {"/": self._page},
            port=0,
            address=HOST,
            prefix=f"/{token}",
            title="cxr-enhance tune",
            websocket_max_message_size=_MAX_MESSAGE,
            check_unused_sessions_milliseconds=2000,
            unused_session_lifetime_milliseconds=1000 * _UNUSED_S,
        )
        self._origin = f"{HOST}:{self._server.port}"
        settings.allowed_ws_origin = [self._origin]
        self.address = f"http://{self._origin}/{token}/"
        key = secrets.token_urlsafe(32)
        self.one_time_address = f"http://{self._origin}/{key}"
        inward = Application([(".*", RedirectHandler, {"url": self.address, "permanent": False})])
        self._server._http.request_callback = RuleRouter([
            Rule(_FirstRequest(self._origin, f"/{key}"), inward),
            Rule(_OwnRequests(self._origin), self._server._tornado),
        ])  # fmt: skip
        self._last_seen: float | None = None

    def run_until_closed(self) -> None:
        """Serve until ten seconds after the last page was closed, or the process is interrupted."""
        poll = PeriodicCallback(self._stop_when_left, _POLL_MS)
        self._server.start()
        poll.start()
        try:
            self._server.io_loop.start()
        finally:
            poll.stop()
            self._server.stop()

    def _page(self) -> Any:
        if state.curdoc is not None:
            state.curdoc.template = _PAGE
            state.curdoc.template_variables["host"] = self._origin
            # Without this variable, Panel's template loads styles from Panel's host.
            state.curdoc.template_variables["dist_url"] = LOCAL_DIST
        return TunerPage(self._new_session())

    def _stop_when_left(self) -> None:
        """Stop the server if a page was open before, and no page has been open for `_IDLE_S`."""
        now = time.monotonic()
        if any(session.connection_count for session in self._server.get_sessions()):
            self._last_seen = now
        elif self._last_seen is not None and now - self._last_seen > _IDLE_S:
            self._server.io_loop.stop()
