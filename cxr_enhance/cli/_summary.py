"""`cxr-enhance summary`: a manifest in numbers."""

from __future__ import annotations

import json

from cxr_enhance.archive.manifest import manifest_family
from cxr_enhance.archive.summary import summarise
from cxr_enhance.cli import console


def summary(manifest: str, *, as_json: bool) -> int:
    """Print the summary of a manifest and its shards'; return the exit status."""
    with console.errors_exit_with(console.FAILED):
        paths = manifest_family(manifest)
        if not paths:
            raise FileNotFoundError(2, "No such file or directory", manifest)
        found = summarise(paths)
    if as_json:
        console.say(json.dumps({"manifests": paths, **found}))
        return 0
    for name, count in found["files"].items():
        console.say(f"{count:>10} {name}")
    for reason, count in found["errors"].items():
        console.say(f"{count:>10} failed: {console.printable(reason)}")
    for digest, count in found["params"].items():
        console.say(f"{count:>10} with options {digest}")
    for version, count in found["versions"].items():
        console.say(f"{count:>10} by version {version}")
    console.say(
        f"{found['seconds']:.0f} s of work; {found['input_bytes'] / 1e9:.3f} GB read, "
        f"{found['output_bytes'] / 1e9:.3f} GB written"
    )
    return 0
