"""`cxr-models demo`: run the commands from `index` to `report` on drawn radiographs."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
import time
from pathlib import Path
from typing import NamedTuple

from cxr_enhance import __version__
from cxr_enhance.io.atomic import replace_atomically, write_content_atomically
from cxr_models._json import read_json
from cxr_models.cli import _console
from cxr_models.records.demo import write_demo_set
from cxr_models.runs.folder import RunFolder

_NAME = "cxr-models"
_MARK = "demo.json"  # file that marks the folder of a demo
_PATIENTS, _OTHER_PATIENTS = 40, 12  # patients per label in the first and the second clinic
# The network trains from random weights in minutes: images are small, the learning rate falls soon,
# and images are not rotated. Images are enhanced before they are resized to 64 x 64 pixels, because
# a CLAHE tile of the resized image would hold only 16 pixels.
_TRAINING = (
    *("--weights", "none", "--image-size", "64", "64", "--batch-size", "16"),
    *("--set", "data.order=enhance-first", "--set", "data.rotation=0"),
    *("--set", "training.plateau_patience=2", "--set", "training.plateau_factor=0.3"),
)


class _Step(NamedTuple):
    """One command, and the files that it writes."""

    title: str
    words: tuple[str, ...]
    outputs: tuple[Path, ...]


def demo(folder: Path, epochs: int) -> int:
    """Run every step in `folder`, and return the exit status of the first step that fails, or 0.

    Steps whose outputs exist from an earlier call are skipped. No step runs after a failed step.
    """
    started = time.perf_counter()
    with _console.errors_exit_with(_console.WRONG_USAGE):
        _check_folder(folder, epochs)
    with _console.errors_exit_with(_console.FAILED):
        folder.mkdir(parents=True, exist_ok=True)
        write_content_atomically(folder / _MARK, json.dumps(_mark(epochs)) + "\n")
        _draw(folder / "first-clinic", _PATIENTS, other_source=False)
        _draw(folder / "second-clinic", _OTHER_PATIENTS, other_source=True)
    steps = _steps(folder, epochs)
    for number, step in enumerate(steps, 1):
        is_done = all(path.exists() for path in step.outputs)
        _console.say(
            f"\n[{number} of {len(steps)}] {step.title}{': done before' if is_done else ''}\n"
            f"$ {_shown_command(step.words)}"
        )
        status = 0 if is_done else _run(step.words)
        if status:
            _console.complain(
                f"The demo has stopped. To go on: {_shown_command(_own_words(folder, epochs))}"
            )
            return status
    _say_where_things_are(folder, time.perf_counter() - started)
    return 0


def _steps(folder: Path, epochs: int) -> list[_Step]:
    first, second = folder / "first-clinic", folder / "second-clinic"
    manifest, external, split = folder / "first.csv", folder / "second.csv", folder / "split.csv"
    run, table, shown = folder / "run", folder / "predictions.csv", folder / "explained"
    page = folder / "report.html"

    def step(title: str, *words: str | Path, makes: tuple[Path, ...]) -> _Step:
        return _Step(title, tuple(map(str, words)), makes)

    # Drawn chests are similar, so only images with equal hashes count as duplicates.
    index = ("--max-distance", "0", "--patient-pattern")
    files = RunFolder(path=run)
    return [
        step(
            *("List the images of the first clinic", "index", first, "--out", manifest),
            *(*index, "([a-z]+-p[0-9]+)-"),
            makes=(manifest,),
        ),
        step(
            *("List those of the second, which only tests", "index", second, "--out", external),
            *(*index, "([a-z]+-q[0-9]+)-"),
            makes=(external,),
        ),
        step(
            *("Split, each patient in one part", "split", manifest, "--out", split),
            makes=(split,),
        ),
        step(
            *("Train", "train", split, "--out", run, "--epochs-head", str(epochs), *_TRAINING),
            makes=(files.best_weights,),
        ),
        step(
            *("Evaluate on the test set and on the second clinic", "evaluate", run),
            *("--external", external),
            makes=(files.evaluation_file,),
        ),
        step(
            *("Audit: what models reach that see no lungs", "audit", split, "--run", run),
            makes=(files.audit_file,),
        ),
        step(
            *("Predict, with pictures of where the network looks", "predict", run),
            *(second / "covid", "--out", table, "--explain", shown),
            makes=(table, shown),
        ),
        step(
            *("Report", "report", run, "--out", page, "--explain"),
            makes=(page,),
        ),
    ]


def _check_folder(folder: Path, epochs: int) -> None:
    """Raise unless the folder is new, empty, or of a demo of the same version and epochs."""
    if not os.path.lexists(folder) or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not (folder / _MARK).is_file():
        raise ValueError(
            f"`DIR` must be new, empty or an earlier demo's; got {str(folder)!r}. Name another "
            "folder."
        )
    try:
        mark = read_json(folder / _MARK)
    except ValueError:
        mark = None
    if mark != _mark(epochs):
        raise ValueError(
            f"`DIR` must be new, empty or that of a demo of {epochs} epochs by version "
            f"{__version__}; got {str(folder)!r}, that of another one. Name a new folder."
        )


def _mark(epochs: int) -> dict[str, object]:
    return {"demo": _NAME, "version": __version__, "epochs": epochs}


def _draw(folder: Path, patients: int, *, other_source: bool) -> None:
    if folder.exists():
        return
    _console.say(f"drawing {6 * patients} radiographs into {_console.printable(str(folder))}")
    with replace_atomically(folder) as temporary:
        write_demo_set(temporary, patients=patients, other_source=other_source)


def _run(words: tuple[str, ...]) -> int:
    from cxr_models.cli import main

    return main(words)


def _own_words(folder: Path, epochs: int) -> tuple[str, ...]:
    return ("demo", str(folder), "--epochs", str(epochs))


def _shown_command(words: tuple[str, ...]) -> str:
    """Return a command line that the user can type.

    It begins with the path of the program if the shell does not find the program by its name.
    """
    program = Path(sys.argv[0])
    installed = shutil.which(_NAME)
    is_on_path = (
        program.stem != _NAME
        or not program.is_file()
        or (installed is not None and program.samefile(installed))
    )
    return shlex.join([_NAME if is_on_path else str(program), *words])


def _say_where_things_are(folder: Path, seconds: float) -> None:
    def shown(path: Path) -> str:
        return _console.printable(str(path))

    _console.say(
        f"\ndone in {seconds:.0f} s; drawn radiographs, which say nothing of patients\n"
        f"report, to open in a browser: {shown(folder / 'report.html')}\n"
        f"pictures of where the network looks: {shown(folder / 'explained')}\n"
        "next, with a folder of your own in the place of SCANS, one folder a label:\n"
        f"$ {_shown_command(('index', 'SCANS', '--out', 'manifest.csv'))}"
    )
