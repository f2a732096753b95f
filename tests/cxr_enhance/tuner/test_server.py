"""Who reaches the page, and when it ends."""

import asyncio
import os
import signal
import socket
import time
from urllib.parse import urlsplit

import pytest

import cxr_enhance as cxe
from cxr_enhance.synthetic import synthetic_radiograph
from tests.helpers import chromium
from tests.helpers.fresh_process import run_module, started_module
from tests.helpers.tuner_server import served_tuner, socket_status, status_of

pytest.importorskip("panel", reason="panel is not installed")
pytest.importorskip("typer", reason="typer is not installed")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    path = tmp_path_factory.mktemp("images") / "a.png"
    cxe.write_image(path, synthetic_radiograph(60, 50))
    with served_tuner(path) as (address, _):
        yield address


def own(address):
    return urlsplit(address).netloc


def test_the_address_holds_a_token_that_cannot_be_guessed(address):
    parts = urlsplit(address)
    assert parts.hostname == "127.0.0.1"
    assert len(parts.path.strip("/")) >= 40
    assert status_of(address) == 200


@pytest.mark.parametrize("path", ["/", "/tune", "/ws", "/x/", "/x/ws", "/static/js/bokeh.min.js"])
def test_without_the_token_there_is_nothing(address, path):
    assert status_of(address, path) == 404
    assert socket_status(address, path, Origin=f"http://{own(address)}") == 404


def test_a_name_that_points_here_is_not_enough(address):
    port = urlsplit(address).port
    for host in (f"evil.example:{port}", "evil.example", f"localhost:{port}", "127.0.0.1"):
        assert status_of(address, Host=host) == 404
        assert socket_status(address, Host=host, Origin=f"http://{host}") == 404


def test_web_sockets_are_opened_for_the_page_alone(address):
    port = urlsplit(address).port
    assert socket_status(address, Origin=f"http://{own(address)}") == 101
    for origin in (
        "http://evil.example", f"http://localhost:{port}", "null", "file://",
        f"https://{own(address)}", f"http://127.0.0.1:{port + 1}", "",
    ):  # fmt: skip
        assert socket_status(address, Origin=origin) == 404, origin
        assert status_of(address, Origin=origin) == 404, origin


@pytest.mark.parametrize("origins", ["*", "evil.example", "example.org:80"])
def test_an_environment_of_bokehs_neither_opens_nor_shuts_a_door(monkeypatch, origins):
    monkeypatch.setenv("BOKEH_ALLOW_WS_ORIGIN", origins)
    with served_tuner() as (address, _):
        assert socket_status(address, Origin=f"http://{own(address)}") == 101
        assert socket_status(address, Origin="http://evil.example") == 404


@pytest.mark.skipif(not os.path.exists("/proc/self"), reason="127.0.0.2 is this machine on Linux")
def test_nothing_listens_on_other_addresses(address):
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", urlsplit(address).port), timeout=5)


def test_only_the_address_is_printed_and_an_interrupt_ends_it():
    with served_tuner() as (_, running):
        os.kill(running.pid, signal.SIGINT)
        out, err = running.communicate(timeout=30)
        assert (running.returncode, out, err) == (0, b"", b"")


@pytest.mark.skipif(os.name != "posix", reason="the browser is a script of the shell")
def test_the_browser_is_given_an_address_that_leads_in_once(tmp_path):
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {tmp_path}/given.part\nmv {tmp_path}/given.part '
                       f"{tmp_path}/given\n")  # fmt: skip
    browser.chmod(0o755)
    with started_module("cxr_enhance", "tune", env={"BROWSER": str(browser)}) as running:
        address = running.stdout.readline().decode().split()[-1]
        while not (tmp_path / "given").exists():
            assert running.poll() is None
            time.sleep(0.05)
        given = (tmp_path / "given").read_text().strip()
        assert urlsplit(address).path.strip("/") not in given
        assert status_of(given, Origin="http://evil.example") == 404
        assert [status_of(given), status_of(given), status_of(address)] == [302, 404, 200]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["missing.png"], "missing.png: No such file or directory."),
        (["--params", "missing.json"], "missing.json: No such file or directory."),
    ],
)
def test_wrong_words_are_wrong_usage(words, sentence):
    done = run_module("cxr_enhance", "tune", "--no-browser", *words, status=2)
    assert done.stderr == f"Error: {sentence}\n"


@pytest.mark.skipif(chromium.PROGRAM is None, reason="chromium is not installed")
def test_waits_for_its_first_page_and_ends_ten_seconds_after_the_last(tmp_path):
    with served_tuner() as (address, running):
        time.sleep(11)
        assert running.poll() is None
        with chromium.new_tab(tmp_path / "profile") as tab:
            tab.open(address)
            time.sleep(12)
            assert running.poll() is None
        closed = time.monotonic()
        assert running.wait(timeout=60) == 0
        assert 8 < time.monotonic() - closed < 30
        assert running.stderr.read() == b""


def test_a_page_whose_session_was_dropped_asks_nobody_else_for_its_styles(address):
    from bokeh.util.token import generate_jwt_token, generate_session_id
    from tornado.httpclient import HTTPRequest
    from tornado.websocket import websocket_connect

    # A token of a session that the server does not hold (any more), as a slow browser brings it.
    payload = {"headers": {}, "cookies": {}, "arguments": {}, "session_expiry": time.time() + 60}
    token = generate_jwt_token(generate_session_id(), extra_payload=payload)
    request = HTTPRequest(address.replace("http:", "ws:") + "ws")

    async def page():
        socket = await websocket_connect(request, subprotocols=["bokeh", token])
        for part in ('{"msgid": "1", "msgtype": "PULL-DOC-REQ"}', "{}", "{}"):
            await socket.write_message(part)
        while "roots" not in (text := await asyncio.wait_for(socket.read_message(), 30)):
            pass
        socket.close()
        return text

    text = asyncio.run(page())
    assert "static/extensions/panel/css/loading.css" in text
    assert "https:" not in text
