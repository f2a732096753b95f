"""Which folders a command makes: those of the name that was typed, and no others."""

from __future__ import annotations

from pathlib import Path


def check_way(path: str, option: str) -> None:
    """Refuse a name that goes up again from a folder that does not exist: it would be made.

    Raises
    ------
    ValueError
        If it does.
    """
    way = Path(path)
    for place in [place for place in (way, *way.parents) if place.name == ".."]:
        if not place.parent.is_dir():
            raise ValueError(
                f"`{option}` must go through folders that exist where it goes up again; got "
                f"{path!r}, and there is no folder {str(place.parent)!r}."
            )
