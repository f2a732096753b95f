"""Count the files of manifests by status, and the failures by reason."""

from __future__ import annotations

import os
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from cxr_enhance.archive._rows import RUN
from cxr_enhance.archive.manifest import rows_in_order

if TYPE_CHECKING:
    from collections.abc import Sequence

_QUOTED = re.compile(r"'[^']*'|\b\d+\b")


def summarise(manifests: Sequence[str]) -> dict[str, Any]:
    """Count the files of manifests by the last row of each file.

    A row `exists` does not replace an earlier row `written` of the same file.

    Parameters
    ----------
    manifests : sequence of str
        Paths of the manifests; see `rows_in_order`.

    Returns
    -------
    dict
        ``files``: number of files by status. ``errors``: number of failed files by message, in
        which names and numbers are replaced. ``versions`` and ``params``: number of files by
        version and by digest of the options. ``seconds``: total time of work. ``input_bytes`` and
        ``output_bytes``: total sizes over all rows `written`; a file that was written twice counts
        twice.
    """
    last: dict[str, int] = {}
    kinds: dict[tuple[str, str, str, str], int] = {}
    written: set[int | None] = set()
    counts: Counter[int] = Counter()
    seconds = 0.0
    sizes: Counter[str] = Counter()
    for ordered in rows_in_order(manifests):
        row = ordered.fields
        if row["status"] == RUN:
            continue
        seconds += row.get("seconds") or 0.0
        error = _QUOTED.sub("...", str(row.get("error") or ""))
        kind = (row["status"], error, str(row.get("params")), str(row.get("version")))
        number = kinds.setdefault(kind, len(kinds))
        if row["status"] == "written":
            written.add(number)
        name = os.path.abspath(row["input"])  # runs may have named it otherwise
        previous = last.get(name)
        if row["status"] == "exists" and previous in written:
            continue  # a later run has left the output as it was written
        last[name] = number
        counts[number] += 1
        if previous is not None:
            counts[previous] -= 1
        if row["status"] == "written":
            sizes["input_bytes"] += row.get("input_size") or 0
            sizes["output_bytes"] += row.get("output_size") or 0
    names = list(kinds)
    result: dict[str, Any] = {
        "files": {}, "errors": {}, "params": {}, "versions": {},
        "seconds": round(seconds, 1), "input_bytes": sizes["input_bytes"],
        "output_bytes": sizes["output_bytes"],
    }  # fmt: skip
    for number, count in counts.most_common():
        if not count:
            continue
        status, error, params, version = names[number]
        for group, name in (("files", status), ("params", params), ("versions", version)):
            result[group][name] = result[group].get(name, 0) + count
        if status == "failed":
            result["errors"][error] = result["errors"].get(error, 0) + count
    return result
