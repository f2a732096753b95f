"""The notebooks of the documentation: what they store is small and of this code, and they run."""

from __future__ import annotations

import importlib.util
import json
import re
import warnings

import pytest

from tests.helpers.fresh_process import ROOT

_SPEC = importlib.util.spec_from_file_location("notebooks", ROOT / "docs/site/notebooks.py")
notebooks = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(notebooks)

STORED = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in notebooks.paths()}
MAX_BYTES = 300_000
# Beside what is a machine's own, what only some machines or versions say.
UNWANTED = re.compile(
    r"/(?:tmp|home|root|usr|opt|work|Users|var)/|[A-Z]:\\\\|0x[0-9a-f]{6,}|Warning|Traceback|\bWARNING\b"
)


def texts_of(output):
    """List the texts that an output shows."""
    data = output.get("data", {"text/plain": output.get("text", "")})
    return ["".join(text) for kind, text in data.items() if kind.startswith("text/")]


def code_cells(notebook):
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


@pytest.mark.parametrize("name", STORED)
def test_a_notebook_is_small_and_its_pictures_are_stored_once(name):
    path = notebooks.FOLDER / f"{name}.ipynb"
    assert path.stat().st_size < MAX_BYTES
    for cell in code_cells(STORED[name]):
        for output in cell["outputs"]:
            kinds = set(output.get("data", {"text/plain": ""})) - {"text/plain"}
            assert kinds <= {"image/png", "image/jpeg", "text/html"}
            assert len(kinds) <= 1


@pytest.mark.parametrize("name", STORED)
def test_what_is_stored_has_no_machines_path_warning_or_error(name):
    for cell in code_cells(STORED[name]):
        for output in cell["outputs"]:
            assert output["output_type"] in ("stream", "display_data", "execute_result")
            for text in texts_of(output):
                assert UNWANTED.search(text) is None, text


@pytest.mark.parametrize("name", STORED)
def test_the_code_is_what_was_run_from_the_first_cell_to_the_last(name):
    notebook = STORED[name]
    assert notebook["metadata"]["cxr_enhance"]["code_sha256"] == notebooks.code_sha256(notebook), (
        f"Run it again: python docs/site/notebooks.py {name}"
    )
    counts = [cell["execution_count"] for cell in code_cells(notebook)]
    assert counts == list(range(1, len(counts) + 1))


@pytest.mark.parametrize("name", STORED)
def test_a_notebook_begins_with_its_title_and_what_it_needs(name):
    first = "".join(STORED[name]["cells"][0]["source"])
    assert first.startswith("# ")
    assert "pip install" in first


@pytest.mark.parametrize("name", STORED)
def test_the_page_of_notebooks_lists_each(name):
    assert f"({name}.ipynb)" in (notebooks.FOLDER / "README.md").read_text(encoding="utf-8")


def test_what_must_not_be_stored_would_be_found():
    for text in ("in /tmp/x1/a.png", "UserWarning: no", "<Figure at 0x7f3a12345678>"):
        assert UNWANTED.search(text)
    assert UNWANTED.search("wrote runs/first/best.weights.h5") is None


def outputs_of(notebook):
    """Give the texts of each cell that shows the same on every machine."""
    return [
        [text for output in cell["outputs"] if "data" not in output for text in texts_of(output)]
        for cell in code_cells(notebook)
        if "varies" not in cell["metadata"].get("tags", ())
    ]


@pytest.mark.slow
@pytest.mark.parametrize("name", STORED)
def test_a_notebook_runs_and_says_what_is_stored(name, tmp_path):
    missing = notebooks.lacking(STORED[name])
    if missing:
        pytest.skip(f"needs {', '.join(missing)}")
    import nbformat

    again = nbformat.read(notebooks.FOLDER / f"{name}.ipynb", as_version=4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # those of the client's own dependencies
        notebooks.run(again, tmp_path)
    assert outputs_of(again) == outputs_of(STORED[name])
