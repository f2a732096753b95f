"""`cxr-models split`: split a manifest into train, val and test."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from typing import TYPE_CHECKING

from cxr_models._counts import counted
from cxr_models._outputs import check_output, replaces_output
from cxr_models.cli import _console
from cxr_models.cli._paths import shown
from cxr_models.records import official, splits
from cxr_models.records.finding_counts import checked_findings, count_patients
from cxr_models.records.left_out import causes_of_leaving_out
from cxr_models.records.manifest import SPLITS, Record, read_manifest
from cxr_models.records.relative_names import records_from
from cxr_models.records.split_sets import leftovers
from cxr_models.records.ties import with_shared_ids

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def split(
    manifest: Path,
    out: Path,
    *,
    fractions: tuple[float, float, float],
    seed: int,
    folds: int | None,
    leave_source_out: bool,
    test_others: bool,
    overwrite: bool,
    findings: tuple[str, ...] | None = None,
    shared_ids: bool = False,
    drop_split: bool = False,
    drop_leaks: bool = False,
) -> int:
    """Write one split of `manifest` to the file `out`, or several splits into the folder `out`.

    Several splits are written with `folds` or `leave_source_out`. A split that the manifest has is
    kept, unless `drop_split` is true or several splits are written. The exit status is 1 if a kept
    split leaks and `drop_leaks` is false, and 0 otherwise.
    """
    with _console.errors_exit_with(_console.WRONG_USAGE):
        splits.check_fractions(fractions)
        if folds is not None and leave_source_out:
            raise ValueError("`--folds` is only allowed without --leave-source-out; got both.")
        if folds is not None and fractions != splits.FRACTIONS:
            raise ValueError(
                "`--fractions` is only allowed without --folds, which gives test and val the same "
                "share of the images; got both."
            )
        if test_others and not leave_source_out:
            raise ValueError(
                "`--test-others` is only allowed with --leave-source-out; got it alone."
            )
        several = folds is not None or leave_source_out
        if drop_split and drop_leaks:
            raise ValueError("`--without-leaks` is only allowed without --drop-split; got both.")
        if several and out.exists() and not out.is_dir():
            raise ValueError(f"`--out` must be a folder for several splits; got {str(out)!r}.")
        read = read_manifest(manifest)
        findings = checked_findings(read, findings)
        # Files get other names when a split is written: the parts must not depend on its place.
        listed = list(read.records)
        records = with_shared_ids(listed) if shared_ids else listed
        keeps_split = official.has_split(records) and not (several or drop_split)
        if drop_leaks and not keeps_split:
            raise ValueError(
                "`--without-leaks` is only allowed with a manifest that has a split, which is kept."
            )
        outputs: dict[Path, tuple[list[Record], dict[str, object]]] = {}
        settings: dict[str, object] = {"seed": seed}
        if keeps_split:
            official.check_options_have_effect(records, fractions, findings, drop_leaks=drop_leaks)
        elif several and official.has_split(records) and not drop_split:
            _console.say(f"{shown(manifest)} has a split, which several splits do not keep")
        if findings:
            settings["stratified_by"] = list(findings)
        if folds is not None:
            for number, fold in enumerate(
                splits.fold_records(records, folds=folds, seed=seed, findings=findings)
            ):
                outputs[out / f"fold-{number}.csv"] = fold, {**settings, "fold": [number, folds]}
        elif leave_source_out:
            shares = fractions if test_others else (*fractions[:2], 0.0)
            _, val, test = (share / (sum(shares) or 1.0) for share in shares)
            with warnings.catch_warnings(action="ignore"):  # printed below, for each part
                parts = splits.leave_sources_out(
                    records, val_fraction=val, test_fraction=test, seed=seed, findings=findings
                )
            for source, part in parts.items():
                name = re.sub(r"[^\w.-]+", "_", source)
                if out / f"without-{name}.csv" in outputs:
                    raise ValueError(
                        "`source` must have names that differ as names of files do; got "
                        f"{source!r}, and another that gives without-{name}.csv too."
                    )
                outputs[out / f"without-{name}.csv"] = part, {**settings, "left_out": source}
        elif keeps_split:
            assigned = _split_of_manifest(
                manifest, records, fractions, seed, drop_leaks=drop_leaks, findings=findings
            )
            if assigned is None:
                return _console.FAILED
            outputs[out] = assigned, {**settings, "given": True}
        else:
            settings["fractions"] = list(fractions)
            assigned_records = splits.split_records(
                records, fractions=fractions, seed=seed, findings=findings
            )
            outputs[out] = assigned_records, settings
        for path in outputs:
            check_output(path, splits.SPLIT, overwrite=overwrite, inputs=[manifest])
        former: list[Path] = []
        if several:
            setting = "left_out" if leave_source_out else "fold"
            former = leftovers(out, outputs, setting, manifest=manifest, overwrite=overwrite)
    with _console.errors_exit_with(_console.FAILED):
        for path, (assigned, facts) in outputs.items():
            with replaces_output(
                path, splits.SPLIT, overwrite=overwrite, inputs=[manifest]
            ) as temporary:
                named = records_from(path.parent, assigned, read.paths())
                splits.write_split(temporary, named, facts)
            _console.say(f"wrote {shown(path)}: {_counts(assigned)}")
            needed_parts = [part for part, share in zip(SPLITS, fractions, strict=True) if share]
            if leave_source_out:
                needed_parts = list(SPLITS[:2])  # test may lack labels that its source lacks
                _say_left_out(path, listed, assigned, str(facts["left_out"]), shared_ids)
            for line in official.lines_on_lacking(
                assigned, needed_parts, is_given=keeps_split, findings=findings
            ):
                _console.complain(_console.printable(f"{shown(path)}: {line}"))
            _say_findings(path, assigned, findings, needed_parts)
        for path in former:
            path.unlink()
            _console.say(f"removed {shown(path)}, of the set that was replaced")
    return 0


def _split_of_manifest(
    manifest: Path,
    records: Sequence[Record],
    fractions: tuple[float, float, float],
    seed: int,
    *,
    drop_leaks: bool,
    findings: Sequence[str],
) -> list[Record] | None:
    """Return the checked split of a manifest; if it leaks, print the reasons and return None.

    With `drop_leaks` the images that leak are taken out of train and val, and the split is
    returned.
    """
    _console.say(f"{shown(manifest)} has a split, which is kept; --drop-split makes a new one")
    kept = official.kept_split(
        records, fractions, seed=seed, drop_leaks=drop_leaks, findings=findings
    )
    if kept.renamed:
        _console.say(_console.printable(official.line_on_renamed(kept.renamed)))
    for line in kept.faults:
        _console.complain(_console.printable(line))
    if kept.faults and not drop_leaks:
        _console.complain(
            "nothing written: a model would be tested on what it was trained on. --without-leaks "
            "takes such images out of train and val; --drop-split makes a new split"
        )
        return None
    if drop_leaks:
        images = counted(kept.num_removed, "image is", "images are")
        _console.say(f"{images} in no part, because of a tie to another part")
    if kept.num_moved_to_val:
        images = counted(kept.num_moved_to_val, "image of train becomes", "images of train become")
        _console.say(f"the split has no val: {images} val")
    return kept.records


def _say_findings(
    path: Path, assigned: Sequence[Record], findings: Sequence[str], parts: Sequence[str]
) -> None:
    """Print how many patients of each part have each of the findings used for stratification."""
    counts = count_patients(assigned, findings)
    for finding, of_parts in counts.items():
        numbers = ", ".join(f"{p} {n.present:,} of {n.known:,}" for p, n in of_parts.items())
        _console.say(_console.printable(f"  patients with {finding}, of those known: {numbers}"))
        for part in parts:
            if not of_parts[part].present and any(n.present for n in of_parts.values()):
                _console.complain(
                    _console.printable(
                        f"{shown(path)}: no patient of {part} has {finding}; too few patients have "
                        "it"
                    )
                )


def _say_left_out(
    path: Path, listed: Sequence[Record], assigned: Sequence[Record], source: str, shared_ids: bool
) -> None:
    parts = [record.split for record in assigned]
    causes = causes_of_leaving_out(listed, parts, source, shared_ids=shared_ids)
    if causes:
        images = counted(causes.total(), "image of other sources is", "images of other sources are")
        reasons = "; ".join(f"{count} {cause}" for cause, count in causes.items())
        _console.say(
            f"{shown(path)}: {images} in no part, because of ties to {_console.printable(source)} "
            f"({reasons})"
        )


def _counts(records: Sequence[Record]) -> str:
    parts = []
    for name in SPLITS:
        labels = Counter(record.label for record in records if record.split == name)
        counts = ", ".join(f"{label} {count}" for label, count in sorted(labels.items()))
        parts.append(f"{name} {labels.total()} ({counts})" if labels else f"{name} 0")
    return "; ".join(parts)
