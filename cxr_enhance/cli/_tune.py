"""`cxr-enhance tune`: choose parameters by eye, in a browser on this machine."""

from __future__ import annotations

import logging
import webbrowser
from typing import TYPE_CHECKING, cast

from cxr_enhance._params import EnhanceParams
from cxr_enhance._warmup import warmup
from cxr_enhance.cli import console
from cxr_enhance.cli.params_file import read_params
from cxr_enhance.tuner.choice import Choice
from cxr_enhance.tuner.session import Session
from cxr_enhance.tuner.source import Files

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from cxr_enhance.io.dicom.windowing import Voi


def tune(
    paths: Sequence[str],
    params_file: Path | None,
    voi: str | None,
    window: tuple[float, float] | None,
    *,
    open_browser: bool,
) -> int:
    """Serve the page until it is closed, and return the exit status.

    If `voi` is None, the page begins with "auto". If `params_file` is None, the page begins with
    the defaults.
    """
    with console.errors_exit_with(console.WRONG_USAGE):
        params = EnhanceParams() if params_file is None else read_params(params_file)
        choice = Choice(params=params, voi=cast("Voi", voi or "auto"), window=window)
        Files(paths)  # raises an error for paths that cannot be read
    with console.errors_exit_with(console.FAILED):
        console.load_quiet_opencv()
        from cxr_enhance.tuner.server import TunerServer

        for name in ("bokeh", "tornado"):  # both log the address of the page when it closes
            logging.getLogger(name).setLevel(logging.CRITICAL)
        server = TunerServer(lambda: Session(Files(paths), choice))
        warmup()
    if open_browser:
        console.say(f"Open {server.address}")
        console.say("Ends ten seconds after its last page was closed, or with Ctrl-C.")
        webbrowser.open(server.one_time_address)
    else:
        console.say(server.address)
    server.run_until_closed()
    return 0
