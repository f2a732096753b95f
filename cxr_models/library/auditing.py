"""Test how well shortcuts predict the labels of a split: `audit_split`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cxr_models._typed_json import write_record
from cxr_models.library.arguments import items_of
from cxr_models.library.run import Run, load_run
from cxr_models.library.wording import says_arguments
from cxr_models.records.splits import Split, read_split

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence

    from cxr_models.audit.findings_results import FindingsAudit
    from cxr_models.audit.results import Audit


@says_arguments(RUN="run")
def audit_split(
    split: Split | str | os.PathLike[str],
    *,
    run: Run | str | os.PathLike[str] | None = None,
    findings: str | Sequence[str] = (),
    draws: int = 2000,
    seed: int = 0,
    progress: Callable[[int], object] | None = None,
    say: Callable[[str], object] | None = None,
) -> Audit | FindingsAudit:
    """Train simple models on shortcuts: border, thumbnail, gray histogram and size of an image.

    The models are then tested on the test set. The function does the same as ``cxr-models audit``
    without ``--perturb``.

    Parameters
    ----------
    split : Split, str or PathLike
        The split, or its file.
    run : Run, str or PathLike, optional
        A run that was trained on this split. It is tested on the complete images and on images
        with a blanked part. The audit is stored in its folder, for the report.
    findings : str or sequence of str, default ()
        Findings to audit instead of the labels. Only allowed without `run`.
    draws : int, default 2000
        Number of bootstrap draws of patients, for the intervals.
    seed : int, default 0
        Seed of the bootstrap draws.
    progress : callable, optional
        Function that is called with 1 after each image that was read.
    say : callable, optional
        Function that is called with a line of text before each step.

    Returns
    -------
    cxr_models.audit.results.Audit or cxr_models.audit.findings_results.FindingsAudit
        Accuracy of each of these models on the test set, and a ``verdict`` in words.

    Raises
    ------
    TypeError, ValueError
        If an argument is not allowed, a set is empty, or `run` was trained on another split.
    ImportError
        If scikit-learn is not installed.
    OSError
        If a file cannot be read.

    Examples
    --------
    >>> import cxr_models as cxm
    >>> audit = cxm.audit_split("split.csv", draws=100)
    >>> audit.test_images, audit.majority.accuracy
    (8, 0.5)
    """
    from cxr_models.evaluation.evaluate import Method
    from cxr_models.inference.audited import audited

    method = Method(draws=draws, seed=seed)
    divided = split if isinstance(split, Split) else read_split(split)
    finished = None
    if run is not None:
        finished = (run if isinstance(run, Run) else load_run(run))._served.run
        if finished.split.hash != divided.hash:
            raise ValueError(
                f"`split` must be the one that {str(finished.folder.path)!r} was trained on; got "
                "another. Give run.split."
            )
    audit = audited(
        divided, method, run=finished, findings=items_of(findings), progress=progress, say=say
    )
    if finished is not None:
        finished.folder.evaluation_folder.mkdir(exist_ok=True)
        write_record(finished.folder.audit_file, audit)
    return audit
