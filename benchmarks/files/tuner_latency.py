"""How long `cxr-enhance tune` takes to answer a slider, at 1024 x 1024 and at 5 megapixels.

``python -m benchmarks.files.tuner_latency`` needs the extra tune and Chromium, and prints two times
in milliseconds: of the answer alone, and from moving a slider to the canvas that holds the new
pixels, enhancement, web socket and browser included. Before anything is timed, that canvas is
compared with the library's bytes.
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
    """Time the answers of a session alone."""
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
    """Time a slider in a browser, as the page itself does."""
    after = cxe.enhance(cxe.read_image(path))
    with served_tuner(path) as (address, _), chromium.new_tab(folder / "profile") as tab:
        tab.look(width=1440)
        page = Page(tab, address)
        page.assert_shows("after", shown(after, full_scale(after)))
        times = []
        for move in range(MOVES):
            page.change(lambda move=move: page.set("#clip_limit", 1 + move / 10), None)
            time.sleep(0.4)  # the tiles' shares are asked for meanwhile
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
