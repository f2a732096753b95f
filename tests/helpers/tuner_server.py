"""`cxr-enhance tune` in a process of its own, and requests to it."""

import contextlib
import http.client
from urllib.parse import urlsplit

from tests.helpers.fresh_process import started_module


@contextlib.contextmanager
def served_tuner(*words):
    """Start ``cxr-enhance tune --no-browser``; give the page's address and the process."""
    with started_module("cxr_enhance", "tune", "--no-browser", *words) as running:
        address = running.stdout.readline().decode().strip()
        if not address:
            raise AssertionError(running.stderr.read().decode())
        yield address, running


def status_of(address, path=None, **headers):
    """Ask for a path, that of `address` unless said otherwise, and give the answer's status."""
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
    with contextlib.closing(connection):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("GET", parts.path if path is None else path, headers=named)
        return connection.getresponse().status


def socket_status(address, path=None, **headers):
    """Ask for the page's web socket and give the answer's status: 101 if it is opened."""
    return status_of(
        address,
        urlsplit(address).path + "ws" if path is None else path,
        Upgrade="websocket",
        Connection="Upgrade",
        Sec_WebSocket_Key="dGhlIHNhbXBsZSBub25jZQ==",
        Sec_WebSocket_Version="13",
        Sec_WebSocket_Protocol="bokeh, token",
        **headers,
    )
