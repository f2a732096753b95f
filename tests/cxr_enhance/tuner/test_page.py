"""The page in a browser: what it shows, what it asks for, and by which keys."""

import base64
import time
from urllib.parse import urlsplit

import numpy as np
import pytest

import cxr_enhance as cxe
from cxr_enhance import EnhanceParams
from cxr_enhance.synthetic import synthetic_radiograph
from tests.helpers import chromium
from tests.helpers.compare import assert_same_image
from tests.helpers.tuner_server import served_tuner

pytest.importorskip("panel", reason="panel is not installed")
pytest.importorskip("typer", reason="typer is not installed")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium.PROGRAM is None, reason="chromium is not installed"),
]

from tests.helpers.dicom_files import data_set, saved  # noqa: E402

GRAY = synthetic_radiograph(300, 250)
COLOUR = np.dstack([GRAY, GRAY // 2, 255 - GRAY])
PAGE = """(window.page ??= (function find(within) {
  for (const one of within.querySelectorAll("*")) {
    if (one.classList.contains("tuner")) return one;
    const found = one.shadowRoot && find(one.shadowRoot);
    if (found) return found;
  }
})(document))"""
PIXELS = f"""(name => {{
  const canvas = {PAGE}.querySelector("canvas.full." + name);
  const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  let text = "";
  for (let i = 0; i < data.length; i += 4) {{
    text += String.fromCharCode(data[i], data[i + 1], data[i + 2]);
  }}
  return [canvas.height, canvas.width, btoa(text)];
}})"""


def file_is_open(name):
    """Give the condition that a file of that name is open."""
    return f".querySelector('.name').textContent === '{name}'"


class Page:
    """The page in a tab, and what its user does."""

    def __init__(self, tab, address):
        self.tab = tab
        tab.open(address)
        self.wait("?.dataset.ready === 'yes'")

    def wait(self, condition):
        """Wait until what is asked of the page's root holds."""
        for _ in range(1200):
            if self.tab.evaluate(f"Boolean({PAGE}{condition})"):
                return
            time.sleep(0.05)
        raise AssertionError(f"not so in a minute: {condition}; {self.text('.message')}")

    def of(self, selector, what):
        return self.tab.evaluate(f"{PAGE}.querySelector('{selector}').{what}")

    def text(self, selector):
        return self.of(selector, "textContent")

    def pixels(self, name):
        height, width, text = self.tab.evaluate(f"{PIXELS}('{name}')")
        return np.frombuffer(base64.b64decode(text), np.uint8).reshape(height, width, 3)

    def assert_shows(self, name, image):
        """Compare what the canvas of the image's own size holds."""
        shown = self.pixels(name)
        expected = image if image.ndim == 3 else np.dstack([image] * 3)
        assert_same_image(np.ascontiguousarray(shown), expected)

    def change(self, act, condition):
        """Do something, and wait until the page says that it was answered."""
        self.tab.evaluate(f"{PAGE}.querySelector('.message').textContent = ''")
        before = self.of(".name", "parentElement.parentElement.dataset.shown")
        act()
        self.wait(condition or f".dataset.shown !== '{before}'")

    def press(self, key, selector=None, code=0, text=""):
        if selector:
            self.of(selector, "focus()")
        for kind in ("keyDown", "keyUp"):
            self.tab.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, text=text,
                          windowsVirtualKeyCode=code)  # fmt: skip

    def set(self, selector, value):
        """Put a value into a control, as moving it does."""
        self.tab.evaluate(
            f"{{const one = {PAGE}.querySelector('{selector}'); one.value = '{value}';"
            "for (const name of ['input', 'change']) one.dispatchEvent(new Event(name)); 0}"
        )

    def drop(self, name, content):
        """Let a file fall on the page."""
        data = base64.b64encode(content).decode()
        self.tab.evaluate(
            "{const held = new DataTransfer();"
            f"const bytes = Uint8Array.from(atob('{data}'), letter => letter.charCodeAt(0));"
            f"held.items.add(new File([bytes], '{name}'));"
            f"{PAGE}.dispatchEvent(new DragEvent('drop', {{dataTransfer: held}})); 0}}"
        )

    def choose_file(self, selector, path):
        found = self.tab.call("Runtime.evaluate", expression=f"{PAGE}.querySelector('{selector}')")
        self.tab.call(
            "DOM.setFileInputFiles", files=[str(path)], objectId=found["result"]["objectId"]
        )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    cxe.write_image(folder / "a.png", GRAY)
    (folder / "b.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    cxe.write_image(folder / "c.tif", synthetic_radiograph(120, 90, bits=16))
    cxe.write_image(folder / "d.png", COLOUR)
    return folder


@pytest.fixture(scope="module")
def address(folder):
    with served_tuner(folder) as (address, _):
        yield address


@pytest.fixture(scope="module")
def tab(address, tmp_path_factory):
    with chromium.new_tab(tmp_path_factory.mktemp("profile")) as tab:
        tab.look(width=1440)
        yield tab


@pytest.fixture
def page(tab, address):
    return Page(tab, address)


def eight_bits(image):
    return (image.astype(np.int64) * 255 // (2 ** int(image.max()).bit_length() - 1)).astype(
        np.uint8
    )


def test_no_request_leaves_the_machine_and_nothing_is_complained_of(tab, address):
    tab.events.clear()
    page = Page(tab, address)
    page.assert_shows("before", GRAY)
    page.assert_shows("after", cxe.enhance(GRAY))
    asked = [event["request"]["url"] for event in tab.events_of("Network.requestWillBeSent")]
    asked += [event["url"] for event in tab.events_of("Network.webSocketCreated")]
    hosts = {urlsplit(url).netloc for url in asked if not url.startswith(("data:", "blob:"))}
    assert hosts == {urlsplit(address).netloc}
    assert any(url.startswith("ws:") for url in asked)
    assert tab.events_of("Runtime.exceptionThrown") == []
    errors = [event["entry"] for event in tab.events_of("Log.entryAdded")]
    assert [entry for entry in errors if "WebGL" not in entry["text"]] == []


@pytest.mark.parametrize("mode", ["cdn", "inline"])
def test_an_environment_of_bokehs_changes_nothing_of_that(folder, monkeypatch, mode, tmp_path):
    monkeypatch.setenv("BOKEH_RESOURCES", mode)
    with (
        served_tuner(folder / "a.png") as (address, _),
        chromium.new_tab(tmp_path) as tab,  # the other tests' program ends when its page is left
    ):
        Page(tab, address).assert_shows("before", GRAY)
        asked = [event["request"]["url"] for event in tab.events_of("Network.requestWillBeSent")]
        hosts = {urlsplit(url).netloc for url in asked if not url.startswith(("data:", "blob:"))}
        assert hosts == {urlsplit(address).netloc}


def test_the_page_could_not_reach_elsewhere_if_it_tried(page, tab):
    tab.events.clear()
    tab.evaluate(
        "fetch('http://127.0.0.1:9/leak').catch(() => 0); new Image().src = 'http://127.0.0.1:9/x';"
        "try { new WebSocket('ws://127.0.0.1:9/') } catch {} 0"
    )
    time.sleep(0.5)
    tab.evaluate("0")
    messages = [event["entry"]["text"] for event in tab.events_of("Log.entryAdded")]
    assert len([text for text in messages if "Content Security Policy" in text]) >= 3, messages


def test_a_slider_moved_by_keys_shows_the_librarys_bytes(page):
    page.change(lambda: page.press("ArrowRight", "#clip_limit-range", code=39), None)
    assert page.of("#clip_limit", "value") == "2.1"
    page.assert_shows("after", cxe.enhance(GRAY, EnhanceParams(clip_limit=2.1)))


@pytest.mark.parametrize(
    ("moves", "options"),
    [
        ({"#tiles_x": 5, "#tiles_y": 3}, {"tile_grid_size": (5, 3)}),
        ({"#low": 1.5, "#high": 97}, {"percentiles": (1.5, 97.0)}),
        ({"#num_bins": 32}, {"num_bins": 32}),
        ({"#clip_limit": 0}, {"clip_limit": 0.0}),
    ],
)
def test_each_number_is_an_option_of_the_library(page, moves, options):
    for selector, value in moves.items():
        page.change(lambda selector=selector, value=value: page.set(selector, value), None)
    params = EnhanceParams(**options)
    page.assert_shows("after", cxe.enhance(GRAY, params))
    assert EnhanceParams.from_json(page.of("#params", "value")) == params


@pytest.mark.parametrize(
    ("box", "options"),
    [
        ("clahe", {"clip_limit": None}),
        ("white_balance", {"percentiles": None}),
        ("all_bins", {"num_bins": None}),
    ],
)
def test_steps_are_left_out_by_their_boxes(page, box, options):
    page.change(lambda: page.of(f"#{box}", "click()"), None)
    page.assert_shows("after", cxe.enhance(GRAY, EnhanceParams(**options)))


def test_a_value_that_cannot_be_says_so_and_the_picture_stays(page):
    page.change(lambda: page.set("#num_bins", 1), ".querySelector('.message.error')")
    assert "`num_bins` must be" in page.text(".message")
    page.assert_shows("after", cxe.enhance(GRAY))


def test_files_are_turned_by_keys_and_a_broken_one_loses_nothing(page):
    page.change(
        lambda: page.press("PageDown", "#next", code=34), ".querySelector('.message.error')"
    )
    assert page.text(".message").endswith("File: 'b.png'.")
    page.assert_shows("after", cxe.enhance(GRAY))
    page.change(lambda: page.press("PageDown", "#next", code=34), file_is_open("c.tif"))
    deep = synthetic_radiograph(120, 90, bits=16)
    page.assert_shows("before", eight_bits(deep))
    page.assert_shows("after", eight_bits(cxe.enhance(deep)))
    page.change(lambda: page.press("PageDown", "#next", code=34), file_is_open("d.png"))
    page.assert_shows("before", COLOUR)
    page.assert_shows("after", cxe.enhance(COLOUR))
    assert page.of("#next", "disabled")
    assert page.text(".place") == "4 of 4"
    page.change(lambda: page.of("#previous", "click()"), file_is_open("c.tif"))
    assert page.text(".place") == "3 of 4"


def test_a_dicom_file_that_is_dropped_shows_its_window(page):
    pixels = synthetic_radiograph(700, 900, bits=12)  # in two parts
    content = saved(data_set(pixels, bits=12, WindowCenter=1500, WindowWidth=1000))
    assert page.of(".dicom", "hidden")
    page.change(lambda: page.drop("scan.dcm", content), file_is_open("scan.dcm"))
    page.assert_shows("before", eight_bits(cxe.read_image(content)))
    page.assert_shows("after", eight_bits(cxe.enhance(cxe.read_image(content))))
    assert not page.of(".dicom", "hidden")
    page.change(lambda: page.set("#voi", "none"), None)
    page.assert_shows("before", eight_bits(cxe.read_image(content, voi="none")))
    assert page.of("#command", "value").endswith("--voi none")
    page.change(lambda: page.drop("bad.dcm", content[:900]), ".querySelector('.message.error')")
    assert page.text(".message").endswith("File: 'bad.dcm'.")
    page.assert_shows("before", eight_bits(cxe.read_image(content, voi="none")))


def test_the_window_of_a_dicom_file_is_chosen_by_sliders(page):
    pixels = synthetic_radiograph(300, 250, bits=12)
    content = saved(data_set(pixels, bits=12, WindowCenter=1500, WindowWidth=1000))
    page.change(lambda: page.drop("scan.dcm", content), file_is_open("scan.dcm"))
    assert [page.of(f"#{name}", "value") for name in ("center", "width")] == ["1500", "1000"]
    assert int(page.of("#center-range", "max")) >= pixels.max()
    page.change(lambda: page.press("ArrowRight", "#center-range", code=39), None)
    page.change(lambda: page.set("#width", 700), None)
    assert page.of("#voi", "value") == "chosen"
    image = cxe.read_image(content, window=(1501, 700))
    page.assert_shows("before", eight_bits(image))
    page.assert_shows("after", eight_bits(cxe.enhance(image)))
    assert page.of("#command", "value").endswith("--window 1501.0 700.0")
    assert "window=(1501.0, 700.0)" in page.of("#python", "value")
    page.change(lambda: page.set("#width", 0.5), ".querySelector('.message.error')")
    assert "`window` must have a width of at least 1" in page.text(".message")
    page.assert_shows("before", eight_bits(image))
    page.change(lambda: page.of("#reset", "click()"), None)
    page.assert_shows("before", eight_bits(cxe.read_image(content)))
    assert page.of("#center", "value") == "1500"
    page.change(lambda: page.drop("a.png", bytes_of(GRAY)), file_is_open("a.png"))
    assert page.of(".dicom", "hidden")


def test_files_are_opened_by_the_buttons_too(page, folder, tmp_path):
    page.change(lambda: page.choose_file("#file", folder / "d.png"), file_is_open("d.png"))
    page.assert_shows("before", COLOUR)
    params = EnhanceParams(clip_limit=5.0, tile_grid_size=(4, 2), percentiles=None)
    (tmp_path / "params.json").write_text(params.to_json())
    page.change(
        lambda: page.choose_file("#params_file", tmp_path / "params.json"),
        ".querySelector('#clip_limit').value === '5'",
    )
    page.assert_shows("after", cxe.enhance(COLOUR, params))
    assert not page.of("#white_balance", "checked")
    page.change(lambda: page.of("#reset", "click()"), None)
    page.assert_shows("after", cxe.enhance(COLOUR))


def test_the_pointer_is_told_pixels_and_the_clipped_share_of_its_tile(page, tab):
    page.wait(".dataset.tiles !== undefined")
    box = tab.evaluate(
        f"{{const b = {PAGE}.querySelector('figure.before canvas').getBoundingClientRect();"
        "[b.left + b.width / 2, b.top + b.height / 2]}"
    )
    tab.call("Input.dispatchMouseEvent", type="mouseMoved", x=box[0], y=box[1])
    readout = page.text(".readout")
    words = readout.replace(",", "").replace(":", "").replace(";", "").split()
    x, y = int(words[0]), int(words[1])
    assert abs(x - 125) <= 2
    assert abs(y - 150) <= 2
    assert (int(words[2]), int(words[4])) == (GRAY[y, x], cxe.enhance(GRAY)[y, x])
    assert "% clipped" in readout
    assert "above the clip limit in its histogram" in page.of(".readout", "title")


def test_a_wipe_shows_before_left_of_its_edge_and_after_right_of_it(page, tab):
    tab.evaluate(f"{PAGE}.querySelector('#whole').focus()")
    page.press("w", "#whole", code=87, text="w")
    assert page.of("#wipe", 'getAttribute("aria-pressed")') == "true"
    page.of("#pixels", "click()")
    time.sleep(0.3)
    sample = """(share => {
      const canvas = PAGE.querySelector("figure.before canvas");
      const at = [(canvas.width - 250) / 2, Math.max((canvas.height - 300) / 2, 0)].map(Math.round);
      const pixel = [Math.floor(share * 250), 150];
      return canvas.getContext("2d").getImageData(at[0] + pixel[0], at[1] + pixel[1], 1, 1).data[0];
    })""".replace("PAGE", PAGE)
    after = cxe.enhance(GRAY)
    for share, image in ((0.3, GRAY), (0.7, after)):
        assert tab.evaluate(f"{sample}({share})") == image[150, int(share * 250)]


def test_the_edge_of_a_wipe_is_dragged_on_the_image(page, tab):
    page.of("#wipe", "click()")
    time.sleep(0.3)
    left, top, width, height = tab.evaluate(
        f"{{const b = {PAGE}.querySelector('figure.before canvas').getBoundingClientRect();"
        "[b.left, b.top, b.width, b.height]}"
    )
    middle, y = left + width / 2, top + height / 2
    for kind, x in (
        ("mousePressed", middle),
        ("mouseMoved", middle + 60),
        ("mouseReleased", middle + 60),
    ):
        tab.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)
    shown_width = min(width, height * 250 / 300)
    assert abs(float(page.of(".wiper", "value")) - (50 + 6000 / shown_width)) <= 1
    tab.call("Input.dispatchMouseEvent", type="mouseMoved", x=middle, y=y)
    assert float(page.of(".wiper", "value")) > 55, "released, the edge stays"


def test_a_panel_of_the_contact_sheet_is_taken_by_a_click(page):
    page.of("details", "open = true")
    page.set("#limits", "1, 6")
    page.set("#grids", "4 x 3; 8")
    page.of("#draw", "click()")
    page.wait(".querySelectorAll('.sheet button').length === 4")
    assert page.of(".sheet button:nth-child(4)", "textContent") == "clip limit 6, 8 x 8 tiles"
    page.change(lambda: page.of(".sheet button:nth-child(2)", "click()"), None)
    params = EnhanceParams(clip_limit=6.0, tile_grid_size=(4, 3))
    page.assert_shows("after", cxe.enhance(GRAY, params))
    chosen = ".sheet button[aria-pressed=true]"
    assert page.text(chosen) == "clip limit 6, 4 x 3 tiles"
    page.change(lambda: page.set("#clip_limit", 5), None)
    page.wait(f".querySelector('{chosen}') === null")


def test_the_contact_sheet_is_drawn_when_it_is_opened_and_again_for_another_image(page):
    page.of("details", "open = true")
    page.wait(".querySelectorAll('.sheet button').length === 12")
    first = page.of(".sheet canvas", "toDataURL()")
    page.change(lambda: page.drop("d.png", bytes_of(COLOUR)), file_is_open("d.png"))
    page.wait(".querySelectorAll('.sheet button').length === 12")
    assert page.of(".sheet canvas", "toDataURL()") != first


def test_the_texts_are_copied(page, tab, address):
    origin = f"http://{urlsplit(address).netloc}"
    tab.session, session = None, tab.session
    tab.call("Browser.grantPermissions", origin=origin,
             permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])  # fmt: skip
    tab.session = session
    tab.call("Page.bringToFront")
    for name in ("python", "command", "params"):
        page.of(f"#copy-{name}", "click()")
        page.wait(
            f".querySelector('#copy-{name}').closest('.text').textContent.includes('Copied.')"
        )
        result = tab.call("Runtime.evaluate", expression="navigator.clipboard.readText()",
                          awaitPromise=True, returnByValue=True)  # fmt: skip
        assert result["result"]["value"] == page.of(f"#{name}", "value") != ""


def test_the_parameter_file_is_saved_as_a_download(page, tab, tmp_path):
    tab.session, session = None, tab.session
    tab.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    tab.session = session
    page.change(lambda: page.set("#clip_limit", 3), None)
    page.of("#save", "click()")
    page.wait(
        ".querySelector('#save').closest('.text').textContent.includes('Saved as params.json.')"
    )
    saved_file = tmp_path / "params.json"
    for _ in range(100):
        if saved_file.exists():
            break
        time.sleep(0.05)
    assert EnhanceParams.from_json(saved_file.read_text()) == EnhanceParams(clip_limit=3.0)


def test_a_preset_without_parameters_says_why_two_texts_are_empty(page):
    page.change(lambda: page.set("#preset", "mimic-cxr-jpg"), None)
    for name in ("python", "params"):
        assert page.of(f"#{name}", "value") == ""
        assert "The command line writes this image." in page.of(f"#{name}", "placeholder")
    assert page.of("#save", "disabled")
    page.change(lambda: page.set("#preset", ""), None)
    assert page.of("#params", "placeholder") == ""
    assert not page.of("#save", "disabled")


def test_two_pages_do_not_disturb_each_other(page, tab, address, tmp_path):
    with chromium.new_tab(tmp_path) as second_tab:
        second = Page(second_tab, address)
        page.change(lambda: page.set("#clip_limit", 9), None)
        second.change(lambda: second.drop("d.png", bytes_of(COLOUR)), file_is_open("d.png"))
        second.assert_shows("after", cxe.enhance(COLOUR))
        page.assert_shows("after", cxe.enhance(GRAY, EnhanceParams(clip_limit=9.0)))
        page.change(lambda: page.set("#clip_limit", 1), None)
        page.assert_shows("before", GRAY)
        assert second.of("#clip_limit", "value") == "2"


def bytes_of(image):
    from cxr_enhance.io.write import encode_image

    return bytes(encode_image(image, ".png", 95))


FALL = f"""((...files) => {{
  for (const file of files) {{
    const event = new Event("drop");
    event.dataTransfer = {{files: [file]}};
    {PAGE}.dispatchEvent(event);
  }}
}})"""


def test_a_folder_that_is_dropped_says_so(page, tab):
    unreadable = "{name: 'scans', size: 9, slice: () => ({arrayBuffer: () => Promise.reject("
    unreadable += "new Error('gone'))})}"
    page.change(lambda: tab.evaluate(f"{FALL}({unreadable})"), ".querySelector('.message.error')")
    assert page.text(".message") == (
        "The browser cannot read scans (gone). Open a file; name folders on the command line."
    )
    page.assert_shows("after", cxe.enhance(GRAY))


def test_of_two_files_that_are_dropped_the_later_one_is_opened_whole(page, tab):
    noise = np.random.default_rng(0).integers(0, 256, (1300, 1300), dtype=np.uint8)
    images = {"first.png": noise, "second.png": noise[:1200]}  # more than one part each
    files = []
    for name, image in images.items():
        data = base64.b64encode(bytes_of(image)).decode()
        bytes_ = f"Uint8Array.from(atob('{data}'), letter => letter.charCodeAt(0))"
        files.append(f"new File([{bytes_}], '{name}')")
    page.change(lambda: tab.evaluate(f"{FALL}({', '.join(files)})"), file_is_open("second.png"))
    assert page.text(".message") == ""
    page.assert_shows("before", images["second.png"])


def test_a_file_may_fall_anywhere_in_the_window(page, tab):
    tab.look(width=1440, height=3000)
    try:
        assert tab.evaluate(f"{PAGE}.getBoundingClientRect().bottom") >= 3000
        assert tab.evaluate("document.documentElement.scrollHeight") == 3000
    finally:
        tab.look(width=1440)


def test_a_number_that_is_emptied_is_that_of_its_slider_again(page):
    page.set("#clip_limit", "")
    assert page.of("#clip_limit", "value") == "2"
    page.change(lambda: page.set("#tiles_x", 5), None)
    page.assert_shows("after", cxe.enhance(GRAY, EnhanceParams(tile_grid_size=(5, 16))))


def test_a_preset_that_was_looked_at_leaves_the_voi_transform_as_it_was(page):
    for preset, voi in (("mimic-cxr-jpg", "none"), ("study", "auto")):
        page.change(lambda preset=preset: page.set("#preset", preset), None)
        assert page.of("#voi", "value") == voi


def test_a_page_whose_program_has_ended_says_so(folder, tmp_path):
    with (
        served_tuner(folder / "a.png") as (address, running),
        chromium.new_tab(tmp_path) as tab,
    ):
        page = Page(tab, address)
        running.terminate()
        running.wait()
        page.change(lambda: page.set("#clip_limit", 3), ".querySelector('.message.error')")
        assert page.text(".message") == "The program behind this page has ended. Start it again."
        page.assert_shows("after", cxe.enhance(GRAY))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_the_page_fits_the_window_and_its_words_stand_out(tab, address, tmp_path, width, scheme):
    tab.look(width=width, scheme=scheme)
    try:
        page = Page(tab, address)
        page.of("details", "open = true")
        page.of("#draw", "click()")
        page.wait(".querySelectorAll('.sheet button').length === 12")
        assert tab.evaluate("document.documentElement.scrollWidth") == width
        paper = tab.evaluate(f"getComputedStyle({PAGE}).backgroundColor")
        assert paper == {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 23, 26)"}[scheme]
        contrasts = tab.evaluate(chromium.contrasts(PAGE))
        assert len(contrasts) > 5
        assert {name: ratio for name, ratio in contrasts.items() if ratio < 4.5} == {}
        tab.screenshot(tmp_path / "page.png")
        assert (tmp_path / "page.png").stat().st_size > 50_000
    finally:
        tab.look(width=1440)
