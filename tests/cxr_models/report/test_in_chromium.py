import functools
import http.server
import threading

import pytest

pytest.importorskip("typer", reason="typer is not installed")
pytest.importorskip("jinja2", reason="jinja2 is not installed")

from cxr_models.report import html_page, read_any_results, read_results
from tests.helpers import chromium
from tests.helpers.report_runs import (
    write_audit,
    write_finding_run,
    write_images,
    write_robustness,
    write_run,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium.PROGRAM is None, reason="chromium is not installed"),
]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    write_images(folder / "images")
    runs = [
        write_run(folder / "first", root=folder / "images", by="source,view", images=90),
        write_run(folder / f"a-run-of-a-long-name-{'x' * 60}", model__task="binary"),
    ]
    write_audit(runs[0] / "evaluation/audit.json")
    write_robustness(runs[0])
    path = folder / "report.html"
    path.write_text(html_page([read_results(run, name=run.name) for run in runs]))
    return path


@pytest.fixture(scope="module")
def tab(tmp_path_factory):
    with chromium.new_tab(tmp_path_factory.mktemp("profile")) as tab:
        yield tab


@pytest.fixture
def served(page):
    """Give the address of the page on a server that notes what it is asked for."""
    asked = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            asked.append(self.path)

    handler = functools.partial(Handler, directory=page.parent)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/{page.name}", asked
        server.shutdown()
        thread.join()


def test_no_request_leaves_the_page_and_nothing_is_complained_of(tab, served):
    address, asked = served
    tab.events.clear()
    tab.open(address)
    assert asked == ["/report.html"]
    urls = [event["request"]["url"] for event in tab.events_of("Network.requestWillBeSent")]
    assert [url for url in urls if not url.startswith("data:")] == [address]
    assert len(urls) > 10  # pictures: the events do tell of requests
    complaints = ("Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown")
    assert tab.events_of(*complaints) == []
    sizes = tab.evaluate("[...document.images].map(one => one.naturalWidth)")
    assert len(sizes) > 10
    assert all(sizes)


def test_the_page_could_not_load_anything_if_it_tried(tab, served):
    address, asked = served
    tab.open(address)
    tab.events.clear()
    tab.evaluate(
        "const image = new Image(); image.src = '/leak.png'; document.body.append(image);"
        "const script = document.createElement('script'); script.textContent = 'window.ran = 1';"
        "document.body.append(script); fetch('/leak').catch(() => 0); 0"
    )
    assert tab.evaluate("window.ran === undefined")
    messages = [event["entry"]["text"] for event in tab.events_of("Log.entryAdded")]
    assert len([text for text in messages if "Content Security Policy" in text]) >= 2, messages
    assert asked == ["/report.html"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_fits_the_window_and_its_words_stand_out(tab, page, tmp_path, width, scheme):
    tab.look(width=width, scheme=scheme)
    tab.open(page.as_uri())
    assert tab.evaluate("document.documentElement.scrollWidth") == width
    wide = tab.evaluate(
        "[...document.querySelectorAll('.scroll')]"
        ".filter(one => one.scrollWidth > one.clientWidth).length"
    )
    assert wide or width > 1000  # what does not fit scrolls inside its own box
    paper = tab.evaluate("getComputedStyle(document.body).backgroundColor")
    assert paper == {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 23, 26)"}[scheme]
    contrasts = tab.evaluate(chromium.contrasts())
    assert len(contrasts) > 10
    assert {name: ratio for name, ratio in contrasts.items() if ratio < 4.5} == {}
    tab.screenshot(tmp_path / "page.png")
    assert (tmp_path / "page.png").stat().st_size > 50_000


@pytest.mark.parametrize("width", [1440, 390])
def test_a_page_on_findings_fits_the_window_with_everything_open(tab, tmp_path, width):
    runs = [
        write_finding_run(tmp_path / "first"),
        write_finding_run(tmp_path / f"run-{'x' * 60}", training__seed=1),
    ]
    path = tmp_path / "report.html"
    path.write_text(html_page([read_any_results(run, name=run.name) for run in runs]))
    tab.look(width=width)
    tab.events.clear()
    tab.open(path.as_uri())
    tab.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    assert tab.evaluate("document.documentElement.scrollWidth") == width
    contrasts = tab.evaluate(chromium.contrasts())
    assert {name: ratio for name, ratio in contrasts.items() if ratio < 4.5} == {}
    assert tab.events_of("Log.entryAdded", "Runtime.exceptionThrown") == []


def test_folded_runs_open_from_the_keyboard_and_many_runs_fit_a_phone(tab, tmp_path):
    runs = [write_run(tmp_path / f"run-{'x' * 50}-{i}", seed=i, externals=()) for i in range(4)]
    path = tmp_path / "report.html"
    path.write_text(html_page([read_results(run, name=run.name) for run in runs], images=False))
    tab.look(width=390)
    tab.events.clear()
    tab.open(path.as_uri())
    opened = "document.querySelectorAll('details[open]').length"
    assert tab.evaluate(opened) == 0
    tab.evaluate("document.querySelector('summary').focus()")
    for kind in ("keyDown", "keyUp"):
        tab.call("Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter", text="\r",
                 windowsVirtualKeyCode=13)  # fmt: skip
    assert tab.evaluate(opened) == 1
    tab.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    assert tab.evaluate("document.documentElement.scrollWidth") == 390
    assert tab.events_of("Log.entryAdded", "Runtime.exceptionThrown") == []
