"""`cxr-models predict`: write the probabilities of a run for files, and Grad-CAM overlays."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections import Counter
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from cxr_models._outputs import check_output, check_separate, replaces_output
from cxr_models.cli import _console
from cxr_models.cli._framework import load_framework
from cxr_models.evaluation.results import UNITS
from cxr_models.explain.overlay_files import EXPLANATIONS, IMAGES
from cxr_models.inference.calibrated_run import read_served_run
from cxr_models.inference.predict_files import (
    TABLE,
    find_sources,
    predict,
    read_batches,
    write_finding_rows,
    write_rows,
)
from cxr_models.inference.predicted_units import check_units, joined_rows, keys_of_files

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from cxr_models.evaluation.results import Aggregation
    from cxr_models.inference.calibrated_run import ServedRun
    from cxr_models.inference.predict_files import Row, Source

_SHOWN = 20  # most failures that are printed, each on its own line


def predict_files(
    run: Path,
    inputs: Sequence[Path],
    out: Path,
    *,
    explain: Path | None,
    finding: str | None,
    batch_size: int | None,
    aggregation: Aggregation | None,
    records: Path | None,
    overwrite: bool,
) -> int:
    """Write the predictions of a run for files, and return the exit status.

    The status is 1 if every file failed, and 0 otherwise: single files that fail do not count. A
    wrong option or another error ends the command with its own status.
    """
    with _console.errors_exit_with(_console.WRONG_USAGE):
        served = read_served_run(run, aggregation=aggregation)
        _check_finding(served, finding, explain)
        check_units(served, aggregation, records)
        missing = [str(path) for path in inputs if not os.path.lexists(path)]
        if missing:
            raise ValueError(
                f"`INPUT` must name files and folders that exist; got {missing[0]!r}"
                f"{f' and {len(missing) - 1} more' if missing[1:] else ''}."
            )
        sources = find_sources(inputs)
        paths = [source.path for source in sources]
        keys = [] if aggregation is None else keys_of_files(paths, aggregation, records)
        check_output(out, TABLE, overwrite=overwrite, inputs=_inputs(paths, records))
        if explain is not None:
            check_separate(out, explain, folder_option="--explain")
            check_output(
                explain, EXPLANATIONS, overwrite=overwrite, inputs=paths, option="--explain"
            )
    with _console.errors_exit_with(_console.FAILED):
        load_framework()
        from cxr_models.inference.logits import logits_model, predict_logits

        _console.note_on_terminal("building the network")
        model = served.load()
        logits = logits_model(model)
        config = served.run.config
        batches = read_batches(
            config.data,
            sources,
            batch_size or config.training.batch_size,
            keep_originals=explain is not None,
        )
        rows: list[Row] = []
        with (
            _explaining(model, served, sources, explain, finding, overwrite) as explanations,
            warnings.catch_warnings(),
            tqdm(total=len(sources), unit="image", disable=None) as bar,
        ):
            warnings.filterwarnings("always", "DICOM: ", UserWarning)
            warnings.showwarning = _note  # type: ignore[assignment]
            for row in predict(
                lambda images: predict_logits(logits, images, multilabel=served.multilabel),
                batches,
                to_probabilities=served.probabilities,
                watch=None if explanations is None else explanations.watch,
            ):
                rows.append(row)
                bar.update()
            means = [] if explanations is None else explanations.finish()
            of_files = rows
            if aggregation is not None:
                rows = joined_rows(
                    rows,
                    keys,
                    aggregation,
                    to_probabilities=served.probabilities,
                    multilabel=served.multilabel,
                )
            write = write_finding_rows if served.multilabel else write_rows
            write(
                out,
                rows,
                served.class_names,
                calibrated=not served.calibration.no_temperature_reason,
                thresholds=served.calibration.thresholds,
                overwrite=overwrite,
                inputs=_inputs(paths, records),
            )
    unit = "image" if aggregation is None else aggregation.of
    return _report(rows, of_files, unit, served, out, explain, [path.name for path in means])


def _inputs(paths: Sequence[str], records: Path | None) -> list[str | Path]:
    return [*paths, *([] if records is None else [records])]


@contextlib.contextmanager
def _explaining(
    model: Any,
    served: ServedRun,
    sources: Sequence[Source],
    folder: Path | None,
    finding: str | None,
    overwrite: bool,
) -> Iterator[Any]:
    """Yield the writer of explanations, or None if `folder` is None.

    The writer writes to a temporary folder, which becomes `folder` at the end of the block, but not
    after an error.
    """
    if folder is None:
        yield None
        return
    from cxr_models.explain.prediction_overlays import Explanations

    paths = [source.path for source in sources]
    with replaces_output(
        folder, EXPLANATIONS, overwrite=overwrite, inputs=paths, option="--explain"
    ) as temporary:
        yield Explanations(
            model,
            served.class_names,
            temporary,
            sources=sources,
            calibrated=not served.calibration.no_temperature_reason,
            multilabel=served.multilabel,
            finding=finding,
        )


def _check_finding(served: ServedRun, finding: str | None, explain: Path | None) -> None:
    """Raise ValueError unless `finding` is None or a finding of the run, with `explain`."""
    if finding is None:
        return
    if explain is None or not served.multilabel:
        got = "no --explain" if explain is None else "a run of classes"
        raise ValueError(
            f"`--explain-finding` is only allowed with --explain and a run of several findings; "
            f"got {got}."
        )
    if finding not in served.class_names:
        raise ValueError(
            f"`--explain-finding` must be one of {', '.join(served.class_names)}; got {finding!r}."
        )


def _counts(rows: Sequence[Row], served: ServedRun) -> Counter[str]:
    """Count the rows that are predicted as each class, or as positive for each finding.

    A row is an image, or with aggregation a patient or a study. Findings without a threshold are
    not counted.
    """
    shares = [row.probabilities for row in rows if row.probabilities is not None]
    names, points = served.class_names, served.calibration.thresholds
    if not served.multilabel:
        return Counter(names[max(range(len(s)), key=s.__getitem__)] for s in shares)
    counts: Counter[str] = Counter()
    for image in shares if points else ():
        for name, share, point in zip(names, image, points, strict=True):
            counts[name] += point is not None and share >= point
    return counts


def _report(
    rows: Sequence[Row],
    of_files: Sequence[Row],
    unit: str,
    served: ServedRun,
    out: Path,
    explained: Path | None,
    means: Sequence[str],
) -> int:
    failed = [row for row in rows if row.error]
    for row in failed[:_SHOWN]:
        _console.complain(_console.printable(f"{row.file}: {row.error}"))
    if len(failed) > _SHOWN:
        _console.complain(f"and {len(failed) - _SHOWN} more, in column error")
    counts = _counts(rows, served)
    classes = ", ".join(f"{name} {counts[name]}" for name in served.class_names if counts[name])
    num_predicted = len(of_files) - len(failed)
    shown = f" ({classes})" if classes else ""
    counted = f"{num_predicted} predicted"
    if unit != "image":
        num_units = len(rows) - len(failed)
        counted = f"{num_units} {unit if num_units == 1 else UNITS[unit]} of {num_predicted} images"
    _console.say(_console.printable(f"wrote {out}: {counted}{shown}"))
    if failed:
        _console.say(f"{len(failed)} of {len(of_files)} failed")
    _console.say(_console.printable(served.calibration.line))
    _console.say(_console.printable(served.calibration.line_on_calls))
    if explained is not None:
        _console.say(_console.printable(f"wrote {num_predicted} overlays to {explained / IMAGES}"))
        if means:
            _console.say(_console.printable(f"wrote {', '.join(means)} to {explained}"))
    return 0 if num_predicted else _console.FAILED


def _note(message: Warning | str, *_where: object) -> None:
    """Print warnings about faults of DICOM headers; ignore other warnings."""
    if str(message).startswith("DICOM: "):
        _console.complain(_console.printable(f"note: {message}"))
