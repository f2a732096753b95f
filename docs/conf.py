"""The documentation site, made by Sphinx of the pages in this folder and of the docstrings.

``pip install ".[docs]" && sphinx-build -W docs site`` writes the folder ``site``, which is read
without a network, search included. A link that leads nowhere, and a name that is not there, end the
build.
"""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
sys.path.insert(0, str(HERE / "site"))

import pages  # noqa: E402 - lies beside this file

import cxr_enhance  # noqa: E402

project = "cxr-enhance"
author = "The cxr-enhance developers"
release = version = cxr_enhance.__version__
extensions = ["myst_nb", "sphinx.ext.autodoc", "numpydoc", "sphinx_copybutton"]
exclude_patterns = ["changes", "site"]
nb_execution_mode = "off"  # notebooks show what is stored in them; see site/notebooks.py
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 4
suppress_warnings = ["misc.highlighting_failure"]
numpydoc_show_class_members = False
autodoc_default_options = {"members": True, "member-order": "bysource"}
autodoc_typehints = "none"  # the docstrings say more
# Frameworks that are not installed here are replaced by names; nothing of them is called.
autodoc_mock_imports = [
    name
    for name in ("tensorflow", "keras", "torch", "monai", "albumentations")
    if importlib.util.find_spec(name) is None
]
html_theme = "furo"
html_title = "cxr-enhance"
html_show_sourcelink = False
html_show_copyright = False
html_search_scorer = str(HERE / "site" / "search.js")  # opened as it stands, from any folder

NAVIGATION = {
    "Start": [
        "install",
        "should-i-use-it",
    ],
    "Tutorials": [
        "tutorials/first-image",
        "tutorials/first-study",
        "tutorials/several-findings",
        "tutorials/judge-your-model",
    ],
    "Notebooks": [
        "notebooks/README",
        "notebooks/study",
        "notebooks/pytorch",
        "notebooks/shards",
        "notebooks/audit",
        "notebooks/judge",
        "notebooks/tune",
    ],
    "How to": [
        "tune",
        "archives",
        "geometry",
        "shards",
        "adapters",
        "from-opencv",
        "datasets",
        "models",
        "python",
        "report",
        "deployment",
        "gpu",
        "faq",
    ],
    "Explanation": [
        "sixteen-bit",
        "dicom-elsewhere",
        "evaluation",
        "study",
        "bit-exactness",
        "performance",
        "architecture",
        "gallery",
        "decisions/README",
    ],
    "Reference": [
        "reference/cxr_enhance",
        "reference/files",
        "reference/adapters",
        "reference/cxr_models",
        "generated/commands",
        "generated/settings",
        "glossary",
        "generated/changelog",
    ],
}


def write_pages(app: Any) -> None:
    """Write the pages that are made of the code; `.gitignore` names their folder."""
    folder = HERE / "generated"
    folder.mkdir(exist_ok=True)
    for name, text in {
        "commands": pages.commands_page(),
        "settings": pages.settings_page(),
        "changelog": pages.changelog_page(),
    }.items():
        path = folder / f"{name}.md"
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def complete_page(app: Any, name: str, source: list[str]) -> None:
    """Add what pages do not hold, so that they read well where they lie: the navigation."""
    source[0] = re.sub(r"\[([^\]]+)\]\(((?:\.\./)+[^)]+)\)", _named_file(name), source[0])
    if name == "index":
        for caption, names in NAVIGATION.items():
            source[0] += f"\n```{{toctree}}\n:hidden:\n:caption: {caption}\n\n"
            source[0] += "\n".join(names) + "\n```\n"
    elif name == "decisions/README":
        source[0] += "\n```{toctree}\n:hidden:\n:glob:\n\n*\n```\n"


def _named_file(name: str) -> Any:
    """Make links to files outside of the documentation the names of these files."""

    def named(match: re.Match[str]) -> str:
        text, target = match.groups()
        place = (HERE / name).parent.joinpath(target.partition("#")[0]).resolve()
        if place.is_relative_to(HERE) and place != HERE:
            return match[0]
        shown = str(place.relative_to(HERE.parent))
        return text if text.strip("`") == shown else f"{text} (`{shown}`)"

    return named


def setup(app: Any) -> None:
    """Connect the above to the build."""
    app.connect("builder-inited", write_pages)
    app.connect("source-read", complete_page)
