"""Run the notebooks of the documentation, and store what they showed in them.

``python docs/site/notebooks.py`` runs all of `docs/notebooks`, ``python docs/site/notebooks.py
audit`` one. ``pip install ".[notebooks]"`` brings what runs them; each notebook says what else it
needs.

A notebook runs in an empty folder with a kernel of its own. The commands ``cxr-enhance`` and
``cxr-models`` in it are those of this tree. What is stored is what a viewer without scripts shows:
text, tables and small pictures.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import io
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "notebooks"
_PROGRAMS = {"cxr-enhance": "cxr_enhance", "cxr-models": "cxr_models"}
_LARGE_PNG = 24_000  # bytes; a larger picture is stored as JPEG
_TIMEOUT_S = 1800
_QUIET = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "CUDA_VISIBLE_DEVICES": "",
    "PYTHONWARNINGS": "ignore:IProgress not found",  # no widgets are stored
}
_SHOWN = ("image/png", "image/jpeg", "text/html", "text/plain")


def paths() -> list[Path]:
    """List the notebooks."""
    return sorted(FOLDER.glob("*.ipynb"))


def lacking(notebook: Any) -> list[str]:
    """List the packages that a notebook needs and that are not installed."""
    needs = ["nbclient", "ipykernel", *notebook["metadata"]["cxr_enhance"]["needs"]]
    return [name for name in needs if importlib.util.find_spec(name) is None]


def code_sha256(notebook: Any) -> str:
    """Hash the code of all cells: a notebook stores the hash of the code that was run."""
    cells = [_text(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    return hashlib.sha256("\n\0\n".join(cells).encode()).hexdigest()


def run(notebook: Any, folder: Path) -> None:
    """Run a notebook in an empty folder, and put what its cells show into it.

    Raises
    ------
    nbclient.exceptions.CellExecutionError
        If a cell raises.
    """
    from nbclient import NotebookClient

    with tempfile.TemporaryDirectory() as programs:
        for name, package in _PROGRAMS.items():
            program = Path(programs, name)
            program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m {package} "$@"\n')
            program.chmod(0o755)
        environment = os.environ | _QUIET | {
            "PATH": os.pathsep.join([programs, os.environ["PATH"]]),
            "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
        }  # fmt: skip
        client = NotebookClient(
            notebook,
            timeout=_TIMEOUT_S,
            kernel_name="python3",
            resources={"metadata": {"path": str(folder)}},
        )
        client.execute(env=environment)
    _tidy(notebook)


def _tidy(notebook: Any) -> None:
    """Keep of what was shown what a viewer without scripts shows; forget times and versions."""
    own = notebook["metadata"]["cxr_enhance"]
    own["code_sha256"] = code_sha256(notebook)
    notebook["metadata"] = {
        "cxr_enhance": own,
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for number, cell in enumerate(notebook["cells"], 1):
        cell["id"] = f"cell-{number}"
        if cell["cell_type"] != "code":
            continue
        cell["metadata"] = {
            name: value for name, value in cell["metadata"].items() if name == "tags"
        }
        cell["outputs"] = _joined([output for output in cell["outputs"] if _is_shown(output)])
        for output in cell["outputs"]:
            if "data" in output:
                output["data"] = _smaller(output["data"])
                output["metadata"] = {}


def _joined(outputs: list[Any]) -> list[Any]:
    """Join what one stream said piece by piece."""
    joined: list[Any] = []
    for output in outputs:
        last = joined[-1] if joined else {}
        if output["output_type"] == "stream" and last.get("name") == output["name"]:
            last["text"] += output["text"]
        else:
            joined.append(output)
    return joined


def _is_shown(output: Any) -> bool:
    """Tell whether a viewer without scripts shows anything of an output."""
    data = output.get("data")
    if data is None or any(kind.startswith("image/") for kind in data):
        return True
    has_script = "<script" in data.get("text/html", "<script")
    return not has_script or output["output_type"] == "execute_result"


def _smaller(data: Any) -> dict[str, str]:
    """Keep one picture or one table, and the text; a large picture becomes JPEG."""
    first = next(kind for kind in _SHOWN if kind in data)
    kept = {first: data[first]}
    if first == "image/png" and len(data[first]) * 3 // 4 > _LARGE_PNG:
        from PIL import Image

        picture = Image.open(io.BytesIO(base64.b64decode(data[first]))).convert("RGB")
        written = io.BytesIO()
        picture.save(written, "JPEG", quality=82, optimize=True)
        kept = {"image/jpeg": base64.b64encode(written.getvalue()).decode() + "\n"}
    if "text/plain" in data:
        kept["text/plain"] = data["text/plain"]
    return kept


def _text(source: Any) -> str:
    return source if isinstance(source, str) else "".join(source)


def main(names: list[str]) -> int:
    """Run the notebooks of these names, or all of them; 1 where one needs what is not there."""
    import nbformat

    status = 0
    for path in paths() if not names else [FOLDER / f"{name}.ipynb" for name in names]:
        notebook = nbformat.read(path, as_version=4)
        missing = lacking(notebook)
        if missing:
            sys.stderr.write(f"{path.name} needs {', '.join(missing)}.\n")
            status = 1
            continue
        with tempfile.TemporaryDirectory() as folder:
            run(notebook, Path(folder))
        nbformat.write(notebook, path)
        sys.stdout.write(f"{path.name}: {path.stat().st_size // 1000} kB\n")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
