"""`cxr-enhance tune` in a separate process, and requests to it."""

import contextlib
import http.client
from urllib.parse import urlsplit

from tests.helpers.fresh_process import started_module


@contextlib.contextmanager
def served_tuner(*words):
    """Start ``cxr-enhance tune --no-browser``; yield the address of the page and the process."""
    with started_module("cxr_enhance", "tune", "--no-browser", *words) as running:
        address = running.stdout.readline().decode().strip()
        if not address:
            raise AssertionError(running.stderr.read().decode())
        yield address, running


def status_of(address, path=None, **headers):
    """Send a GET request and return the status of the answer.

    `path` replaces the path of `address`; None keeps it. `headers` are HTTP headers, with
    underscores for hyphens.
    """
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=30)
    with contextlib.closing(connection):
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("GET", parts.path if path is None else path, headers=fields)
        return connection.getresponse().status


def socket_status(address, path=None, **headers):
    """Request the web socket of the page; return the status, which is 101 for an open socket."""
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
