"""Joining of the predictions of files to predictions of patients or studies.

This module imports no deep-learning framework.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from cxr_enhance import usable_cpus
from cxr_models.evaluation.aggregate import check_classes, join_logits
from cxr_models.evaluation.aggregate_findings import join_finding_logits
from cxr_models.evaluation.units import rows_of_units, unit_keys
from cxr_models.inference.predict_files import Row
from cxr_models.records.examine import record_of_header
from cxr_models.records.manifest import Record, read_manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    import numpy.typing as npt

    from cxr_models.evaluation.results import Aggregation
    from cxr_models.inference.calibrated_run import ServedRun

    Floats = npt.NDArray[np.float64]


def check_units(
    served: ServedRun,
    aggregation: Aggregation | None,
    manifest: str | os.PathLike[str] | None = None,
) -> None:
    """Check that the predictions of a run can be joined.

    Parameters
    ----------
    served : ServedRun
        The run.
    aggregation : Aggregation or None
        The unit and the rule that joins its images; None joins no images.
    manifest : str or PathLike, optional
        The manifest with the patient and study of each file; only allowed with an aggregation.

    Raises
    ------
    ValueError
        If `manifest` is given without `aggregation`, or more than two classes are joined by the
        maximum.
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
    """Return a key for each file; files with equal keys belong to one patient or study.

    Parameters
    ----------
    paths : sequence of str
        Image files.
    aggregation : Aggregation
        The unit: patient or study.
    manifest : str or PathLike, optional
        The manifest with the patient and study of each file. None uses the headers of DICOM files,
        which are read on all CPUs.

    Returns
    -------
    list of hashable or None
        None for a file without a patient id (or without a study id, for studies). The file is then
        a unit of its own.

    Raises
    ------
    ValueError
        If `manifest` is not a valid manifest, or no file has a patient id (or a study id, for
        studies).
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
    to_probabilities: Callable[[Floats], Floats],
    multilabel: bool = False,
) -> list[Row]:
    """Return one row for each patient or study.

    The logits of its files are joined as `cxr_models.evaluation.aggregate` joins them. Files
    without probabilities keep their own rows with the error.

    Parameters
    ----------
    rows : sequence of Row
        One row for each file, with its logits.
    keys : sequence of hashable or None
        The result of `keys_of_files` for the files of `rows`.
    aggregation : Aggregation
        The unit and the rule that joins its images.
    to_probabilities : callable
        Function from logits (N, K) to calibrated probabilities (N, K), such as
        `cxr_models.inference.calibrated_run.ServedRun.probabilities`.
    multilabel : bool, default False
        Whether the logits are those of findings, which are joined separately, instead of classes.

    Returns
    -------
    list of Row
        The rows in the order of the first file of each unit.
    """
    join = join_finding_logits if multilabel else join_logits
    alone = [
        None if row.probabilities is None else key for row, key in zip(rows, keys, strict=True)
    ]
    joined = []
    for places in rows_of_units(alone):
        of_unit = [rows[place] for place in places]
        if of_unit[0].probabilities is None:
            joined += of_unit
            continue
        # The probabilities of a row are compared with thresholds that `evaluate` took from joined
        # logits. Logits that are computed from probabilities can differ in the last bit.
        logits = join(np.array([row.logits for row in of_unit]), aggregation)
        joined.append(
            Row(
                file=of_unit[0].file,
                probabilities=tuple(to_probabilities(logits[None])[0].tolist()),
                error="",
                files=tuple(row.file for row in of_unit),
                logits=tuple(logits.tolist()),
            )
        )
    return joined
