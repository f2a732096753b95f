"""Time in which `cxr-enhance tune` responds to a slider, at 1024 x 1024 and at 5 megapixels.

``python -m benchmarks.files.tuner_latency`` needs the extra tune and Chromium. It prints two times
in milliseconds: the time of the answer alone, and the time from moving a slider until the canvas
has the new pixels, which includes enhancement, web socket and browser. Before anything is timed,
the canvas is compared with the bytes of the library.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

import cxr_enhance as cxe
from cxr_enhance.synthetic import synthetic_radiograph
from cxr_enhance.tuner.choice import Choice
from cxr_enhance.tuner.session import Session
from cxr_enhance.tuner.shown import full_scale, shown
from cxr_enhance.tuner.source import Files
from tests.cxr_enhance.tuner.test_page import Page
from tests.helpers import chromium
from tests.helpers.tuner_server import served_tuner

SIZES = {"1024 x 1024": (1024, 1024), "2048 x 2500": (2500, 2048)}
MOVES = 15
TARGETS_MS = {"1024 x 1024": 150, "2048 x 2500": 400}


def answers_ms(path: Path) -> list[float]:
    """Return the times of a session's answers, without a browser, in milliseconds."""
    session = Session(Files([str(path)]), Choice(params=cxe.EnhanceParams()))
    session.answer({"ask": "start"})
    times = []
    for move in range(MOVES):
        choice = Choice(params=cxe.EnhanceParams(clip_limit=1 + move / 10)).to_dict()
        started = time.perf_counter()
        session.answer({"ask": "render", "choice": choice})
        times.append((time.perf_counter() - started) * 1e3)
    return times


def browser_ms(path: Path, folder: Path) -> list[float]:
    """Return the times of a slider that the page in a browser measures, in milliseconds."""
    after = cxe.enhance(cxe.read_image(path))
    with served_tuner(path) as (address, _), chromium.new_tab(folder / "profile") as tab:
        tab.look(width=1440)
        page = Page(tab, address)
        page.assert_shows("after", shown(after, full_scale(after)))
        times = []
        for move in range(MOVES):
            page.change(lambda move=move: page.set("#clip_limit", 1 + move / 10), None)
            time.sleep(0.4)  # lets the page's request for the shares of the tiles finish
            times.append(float(page.of(".name", "closest('.tuner').dataset.milliseconds")))
        return times


def main() -> None:
    """Print a line for each size and depth."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for size, (height, width) in SIZES.items():
            for bits in (8, 12):
                path = folder / f"{bits}.png"
                cxe.write_image(path, synthetic_radiograph(height, width, bits=bits))
                answer, seen = answers_ms(path), browser_ms(path, folder)
                print(  # noqa: T201
                    f"{size}, {bits} bits: answer {statistics.median(answer):.0f} ms, "
                    f"in the browser {statistics.median(seen):.0f} ms, at most {max(seen):.0f} ms; "
                    f"target {TARGETS_MS[size]} ms"
                )


if __name__ == "__main__":
    main()
