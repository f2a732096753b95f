"""Pages of the documentation that are made of the code when the site is built.

So they cannot disagree with it: the commands and their options, the settings of a run, and the
changelog with what is not released yet.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT = Path(__file__).parents[2]


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Write a table of Markdown."""
    head = tuple(head)
    lines = [head, ("---",) * len(head), *rows]
    escaped = ([cell.replace("|", "\\|").replace("\n", " ") for cell in line] for line in lines)
    return "\n".join("| " + " | ".join(line) + " |" for line in escaped) + "\n"


# --- commands ------------------------------------------------------------------------------------


def commands_page() -> str:
    """List every command with its arguments and options, as their own help does."""
    import typer.main

    from cxr_enhance.cli import _app as enhance
    from cxr_models.cli import _app as models

    parts = ["# Commands\n\nWhat `--help` says of each command.\n"]
    for program, app in (("cxr-enhance", enhance.app), ("cxr-models", models.app)):
        parts.append(f"\n## {program}\n")
        parts.extend(_commands_of(program, typer.main.get_command(app)))
    return "\n".join(parts)


def _commands_of(name: str, command: Any) -> Iterator[str]:
    commands = getattr(command, "commands", None)
    if commands is not None:
        for inner in sorted(commands):
            yield from _commands_of(f"{name} {inner}", commands[inner])
        return
    yield f"### {name}\n"
    yield inspect.cleandoc(_plain(command.help or "")) + "\n"
    rows = [row for parameter in command.params if (row := _row_of(parameter))]
    if rows:
        yield _table(("argument or option", "default", "meaning"), rows)


def _row_of(parameter: Any) -> tuple[str, str, str] | None:
    if parameter.name == "help" or getattr(parameter, "hidden", False):
        return None
    is_option = parameter.param_type_name == "option"
    names = [*parameter.opts, *parameter.secondary_opts]
    if not is_option:
        names = [parameter.metavar or parameter.name.upper()]
    default = parameter.default
    is_none = default is None or default is False or default == () or callable(default)
    shown = "" if is_none else f"`{default}`"
    if getattr(parameter, "required", False):
        shown = "must be given"
    return ", ".join(f"`{name}`" for name in names), shown, _plain(parameter.help or "")


def _plain(text: str) -> str:
    """Leave out what lays the help out on a terminal."""
    return re.sub(r"\[/?(?:bold|dim|italic|/)?\]", "", text.replace("\b", "").replace("\f", ""))


# --- settings ------------------------------------------------------------------------------------


def settings_page() -> str:
    """List every setting of a run and of the enhancement, with its default and meaning."""
    from cxr_enhance import EnhanceParams
    from cxr_models.config import DataConfig, ModelConfig, TrainingConfig

    parts = [
        "# Settings\n",
        "Of `cxr-models train --config FILE.toml`, a section a table; `--set section.name=value` "
        "sets one from the command line, and `cxr-models train --print-config` prints all.\n",
    ]
    for title, record in {
        "data": DataConfig,
        "data.enhance": EnhanceParams,
        "model": ModelConfig,
        "training": TrainingConfig,
    }.items():
        meanings = _meanings(record)
        rows = (
            (f"`{field.name}`", meanings[field.name][0], meanings[field.name][1])
            for field in dataclasses.fields(record)
            if field.name in meanings
        )
        parts.append(f"## {title}\n")
        parts.append(_table(("setting", "values", "meaning"), rows))
    return "\n".join(parts)


def _meanings(record: Any) -> dict[str, tuple[str, str]]:
    """Take apart the section "Parameters" of a record's docstring."""
    text = inspect.cleandoc(record.__doc__ or "")
    section = text.partition("Parameters\n----------\n")[2]
    section = re.split(r"\n\w[\w ]*\n-{3,}\n", section)[0]
    found: dict[str, tuple[str, str]] = {}
    for names, values, meaning in re.findall(
        r"^(\w[\w, ]*?) : (.+)\n((?:    .*\n?|\n(?=    ))*)", section, re.MULTILINE
    ):
        for name in names.split(", "):
            found[name] = (values, " ".join(meaning.split()))
    return found


# --- changelog -----------------------------------------------------------------------------------


def changelog_page() -> str:
    """Put what is not released yet above the changelog."""
    kinds = {"breaking": "Breaking", "added": "Added", "changed": "Changed", "fixed": "Fixed"}
    changes = ROOT / "docs" / "changes"
    parts = ["## Not released yet\n"]
    for kind, title in kinds.items():
        texts = [path.read_text(encoding="utf-8") for path in sorted(changes.glob(f"*.{kind}.md"))]
        if texts:
            parts.append(f"### {title}\n")
            parts.append("\n".join("- " + " ".join(text.split()) for text in texts) + "\n")
    head, mark, released = (
        (ROOT / "CHANGELOG.md")
        .read_text(encoding="utf-8")
        .partition("<!-- towncrier release notes start -->\n")
    )
    assert mark
    text = "\n".join([head, *parts]) + released
    return re.sub(r"\[([^\]]+)\]\([^):]+\)", r"\1", text)  # links are relative to another folder
