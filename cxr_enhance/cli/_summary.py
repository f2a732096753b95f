"""`cxr-enhance summary`: print the counts of a manifest."""

from __future__ import annotations

import json

from cxr_enhance.archive.manifest import manifest_family
from cxr_enhance.archive.summary import summarise
from cxr_enhance.cli import console


def summary(manifest: str, *, as_json: bool) -> int:
    """Print the summary of a manifest and of its shards' manifests; return the exit status."""
    with console.errors_exit_with(console.FAILED):
        paths = manifest_family(manifest)
        if not paths:
            raise FileNotFoundError(2, "No such file or directory", manifest)
        totals = summarise(paths)
    if as_json:
        console.say(json.dumps({"manifests": paths, **totals}))
        return 0
    for name, count in totals["files"].items():
        console.say(f"{count:>10} {name}")
    for reason, count in totals["errors"].items():
        console.say(f"{count:>10} failed: {console.printable(reason)}")
    for digest, count in totals["params"].items():
        console.say(f"{count:>10} with options {digest}")
    for version, count in totals["versions"].items():
        console.say(f"{count:>10} by version {version}")
    console.say(
        f"{totals['seconds']:.0f} s of work; {totals['input_bytes'] / 1e9:.3f} GB read, "
        f"{totals['output_bytes'] / 1e9:.3f} GB written"
    )
    return 0
