"""Predictions of files joined to those of patients or studies. Imports no framework."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from cxr_enhance import usable_cpus
from cxr_models.evaluation.aggregate import check_classes, join_logits
from cxr_models.evaluation.aggregate_findings import join_finding_logits
from cxr_models.evaluation.calibration import softmax
from cxr_models.evaluation.finding_predictions import sigmoid
from cxr_models.evaluation.units import rows_of_units, unit_keys
from cxr_models.inference.predict_files import Row
from cxr_models.records.examine import record_of_header
from cxr_models.records.manifest import Record, read_manifest

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    import numpy.typing as npt

    from cxr_models.evaluation.results import Aggregation
    from cxr_models.inference.calibrated_run import ServedRun

    Floats = npt.NDArray[np.float64]

_SMALLEST = 1e-300  # a probability below it has no logarithm
_LARGEST = 1.0 - 2.0**-53  # the largest probability below 1


def check_units(
    served: ServedRun,
    aggregation: Aggregation | None,
    manifest: str | os.PathLike[str] | None = None,
) -> None:
    """Raise ValueError unless the predictions of a run can be joined as asked.

    Parameters
    ----------
    served : ServedRun
        The run.
    aggregation : Aggregation, optional
        How they are to be joined; None joins none.
    manifest : str or PathLike, optional
        What names patients and studies.
    """
    if aggregation is None:
        if manifest is not None:
            raise ValueError(
                f"`--records` is only allowed with --aggregate; got {os.fspath(manifest)!r}. It "
                "states which files are of one patient or study."
            )
    elif not served.multilabel:
        check_classes(aggregation, served.class_names)


def keys_of_files(
    paths: Sequence[str],
    aggregation: Aggregation,
    manifest: str | os.PathLike[str] | None = None,
) -> list[Hashable | None]:
    """Return what the files of one patient, or study, share; None for a file by itself.

    Parameters
    ----------
    paths : sequence of str
        Files.
    aggregation : Aggregation
        Whether patients or studies are asked for.
    manifest : str or PathLike, optional
        Names the patient and study of each file; without it, the headers of DICOM files do.

    Raises
    ------
    ValueError
        If the manifest is none, or if no file has a patient, or a study.
    OSError
        If the manifest cannot be read.
    """
    if manifest is None:
        with ThreadPoolExecutor(usable_cpus()) as pool:
            records = list(pool.map(record_of_header, paths))
    else:
        listed = read_manifest(manifest)
        by_path = {
            os.path.realpath(path): record
            for path, record in zip(listed.paths(), listed.records, strict=True)
        }
        records = [
            by_path.get(os.path.realpath(path), Record(file=path, label="not stated"))
            for path in paths
        ]
    keys = unit_keys(records, aggregation)
    if all(key is None for key in keys):
        where = "in its DICOM header" if manifest is None else f"in {os.fspath(manifest)!r}"
        cure = " Name a manifest that has it with --records." if manifest is None else ""
        raise ValueError(
            f"`--aggregate` must be what files state; got {aggregation.of!r}, which no file has "
            f"{where}.{cure}"
        )
    return keys


def joined_rows(
    rows: Sequence[Row],
    keys: Sequence[Hashable | None],
    aggregation: Aggregation,
    *,
    multilabel: bool = False,
) -> list[Row]:
    """Return a row for each unit; files that could not be predicted keep rows of their own.

    Parameters
    ----------
    rows : sequence of Row
        One for each file.
    keys : sequence
        As `keys_of_files` returns them.
    aggregation : Aggregation
        How probabilities are joined.
    multilabel : bool, default False
        Whether they are of findings, each joined by itself, in the place of classes.
    """
    join = _joined_findings if multilabel else _joined_classes
    alone = [
        None if row.probabilities is None else key for row, key in zip(rows, keys, strict=True)
    ]
    joined = []
    for places in rows_of_units(alone):
        of_unit = [rows[place] for place in places]
        shares = [row.probabilities for row in of_unit if row.probabilities is not None]
        if not shares:
            joined += of_unit
            continue
        joined.append(
            Row(
                file=of_unit[0].file,
                probabilities=shares[0]  # bit by bit, as thresholds are compared with it
                if len(shares) == 1
                else tuple(join(np.array(shares), aggregation).tolist()),
                error="",
                files=tuple(row.file for row in of_unit),
            )
        )
    return joined


def _joined_classes(shares: Floats, aggregation: Aggregation) -> Floats:
    logits = join_logits(np.log(np.maximum(shares, _SMALLEST)), aggregation)
    joined: Floats = softmax(logits[None])[0]
    return joined


def _joined_findings(shares: Floats, aggregation: Aggregation) -> Floats:
    inner = np.clip(shares, _SMALLEST, _LARGEST)
    return sigmoid(join_finding_logits(np.log(inner) - np.log1p(-inner), aggregation))
