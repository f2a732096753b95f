"""Headless Chromium controlled by its debugging pipe: screenshots, requests and errors of pages."""

import base64
import contextlib
import json
import os
import select
import shutil
import sys

from tests.helpers.fresh_process import DISCARD, started_program

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser")
_PATIENCE = 60  # longest time to wait for an answer, in seconds
_OPTIONS = (
    "--headless=new",
    "--no-sandbox",  # for root in containers
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)

# The browser reads from 3 and writes to 4. A function for `Popen` could arrange that, but with it
# Python forks, of which JAX warns if a test of the same process has loaded it.
_STARTS_BROWSER = """
import os, sys
os.dup2(int(sys.argv[1]), 60)  # neither end may be overwritten by the other
os.dup2(int(sys.argv[2]), 61)
os.dup2(60, 3)
os.dup2(61, 4)
os.execv(sys.argv[3], sys.argv[3:])
"""

# JavaScript that returns, for every element with its own text, the contrast of the text to the
# background.
_CONTRASTS = """
(body => {
  const context = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const channels = colour => {
    context.clearRect(0, 0, 1, 1); context.fillStyle = colour; context.fillRect(0, 0, 1, 1);
    return [...context.getImageData(0, 0, 1, 1).data];
  };
  const light = colour => {
    const [r, g, b] = channels(colour).map(v => v / 255).map(
      v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = element => {
    for (let one = element; one; one = one.parentElement) {
      const colour = getComputedStyle(one).backgroundColor;
      if (channels(colour)[3] === 255) return colour;
    }
    return "white";
  };
  const contrasts = {};
  for (const element of body.querySelectorAll("*")) {
    if (["title", "desc"].includes(element.tagName)) continue;
    if (![...element.childNodes].some(n => n.nodeType === 3 && n.data.trim())) continue;
    const style = getComputedStyle(element), back = behind(element);
    const front = element instanceof SVGElement ? style.fill : style.color;
    const [low, high] = [light(front), light(back)].sort((a, b) => a - b);
    contrasts[`${element.tagName} ${front} on ${back}`] = (high + 0.05) / (low + 0.05);
  }
  return contrasts;
})(BODY)
"""


def contrasts(body="document.body"):
    """Return JavaScript that computes the contrasts of texts within the element `body`."""
    return _CONTRASTS.replace("BODY", body)


class Tab:
    """A tab of the browser, and all events that it sent."""

    def __init__(self, read, write):
        self._read, self._write = read, write
        self._number, self._rest = 0, b""
        self.session = None
        self.events = []

    def call(self, method, **parameters):
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            received = self._next()
            if received.get("id") == self._number:
                if "error" in received:
                    raise RuntimeError(f"{method}: {received['error']}")
                return received["result"]
            self.events.append(received)

    def open(self, url):
        before = len(self.events_of("Page.loadEventFired"))
        self.call("Page.navigate", url=url)
        while len(self.events_of("Page.loadEventFired")) == before:
            self.events.append(self._next())

    def look(self, *, width, height=900, scheme="light"):
        """Set the size of the window and the preferred colour scheme."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", features=features)

    def evaluate(self, expression):
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in result:
            raise RuntimeError(result["exceptionDetails"])
        return result["result"].get("value")

    def screenshot(self, path):
        result = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(result["data"]))

    def events_of(self, *methods):
        return [event["params"] for event in self.events if event.get("method") in methods]

    def _next(self):
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._read], [], [], _PATIENCE)
            chunk = os.read(self._read, 1 << 16) if ready else b""
            if not chunk:
                raise RuntimeError("chromium ended" if ready else "chromium says no more")
            self._rest += chunk
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)


@contextlib.contextmanager
def new_tab(profile):
    """Yield a tab of a new browser that reports requests, console messages and page events."""
    to_browser, ours_out = os.pipe()
    ours_in, from_browser = os.pipe()
    browser = [PROGRAM, *_OPTIONS, f"--user-data-dir={profile}"]
    command = [sys.executable, "-c", _STARTS_BROWSER, to_browser, from_browser, *browser]
    ends = {"pass_fds": (to_browser, from_browser)}
    with started_program(*command, stdout=DISCARD, stderr=DISCARD, **ends):
        os.close(to_browser)
        os.close(from_browser)
        tab = Tab(ours_in, ours_out)
        try:
            target = tab.call("Target.createTarget", url="about:blank")["targetId"]
            attached = tab.call("Target.attachToTarget", targetId=target, flatten=True)
            tab.session = attached["sessionId"]
            for domain in ("Page", "Network", "Log", "Runtime"):
                tab.call(f"{domain}.enable")
            yield tab
        finally:
            with contextlib.suppress(OSError, RuntimeError):
                tab.session = None
                tab.call("Browser.close")
            os.close(ours_in)
            os.close(ours_out)
