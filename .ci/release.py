"""What a release needs of the repository: one version everywhere, and notes from the changelog.

``python .ci/release.py check TAG`` fails where the tag, the package, CITATION.cff and the
changelog disagree; ``python .ci/release.py notes TAG`` prints the changelog's section of it. Takes
nothing but the standard library, and does not import the package.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
_NOT_FRAGMENTS = {"README.md", "template.md.jinja"}


def problems(root: Path, tag: str) -> list[str]:
    """Say what keeps `tag` from being released, one sentence each."""
    version = _version(root)
    if tag != f"v{version}":
        return [f"The tag must be v{version}, the version of the package; got {tag}."]
    found = []
    citation = (root / "CITATION.cff").read_text(encoding="utf-8")
    cited = re.findall(r"^version: *\"?([^\"\n]+?)\"? *$", citation, re.MULTILINE)
    if cited != [version]:
        found.append(f"CITATION.cff must have the version {version}; got {', '.join(cited)}.")
    titles = [title for title, _ in _sections(root, version)]
    if len(titles) != 1 or not re.fullmatch(r"\S+ - \d{4}-\d{2}-\d{2}", titles[0]):
        found.append(
            f"CHANGELOG.md must have one section '## {version} - YYYY-MM-DD'; got "
            f"{', '.join(map(repr, titles)) or 'none'}."
        )
    left = sorted(p.name for p in (root / "docs/changes").iterdir() if p.name not in _NOT_FRAGMENTS)
    if left:
        found.append(
            f"docs/changes must hold no fragments; got {', '.join(left)}. Run: towncrier build "
            f"--version {version}"
        )
    return found


def notes(root: Path, tag: str) -> str:
    """Return the text of the changelog's section of `tag`, without its title."""
    return "\n".join(text for _, text in _sections(root, tag.removeprefix("v")))


def _version(root: Path) -> str:
    source = (root / "cxr_enhance/_version.py").read_text(encoding="utf-8")
    match = re.search(r'^__version__ = "([^"]+)"$', source, re.MULTILINE)
    if match is None:
        raise ValueError('cxr_enhance/_version.py must hold the line __version__ = "...".')
    return match[1]


def _sections(root: Path, version: str) -> list[tuple[str, str]]:
    changelog = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    parts = re.split(r"^## (.+)$", changelog, flags=re.MULTILINE)
    return [
        (title.strip(), text.strip() + "\n")
        for title, text in zip(parts[1::2], parts[2::2], strict=True)
        if title.split()[0] == version
    ]


def main(arguments: list[str]) -> int:
    """Run one of the two commands; 1 where a release would be wrong, 2 for wrong usage."""
    if len(arguments) != 2 or arguments[0] not in ("check", "notes"):
        sys.stderr.write("Usage: release.py check|notes TAG\n")
        return 2
    command, tag = arguments
    if command == "notes":
        sys.stdout.write(notes(ROOT, tag))
        return 0
    found = problems(ROOT, tag)
    sys.stderr.writelines(f"{sentence}\n" for sentence in found)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
