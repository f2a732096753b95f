"""What an audit holds, as records; ``audit.json`` is one `Audit`."""

from __future__ import annotations

from dataclasses import dataclass

from cxr_models.evaluation.results import Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """The accuracies of a model on the test images.

    Parameters
    ----------
    accuracy, balanced_accuracy : float or None
        None where the model was not judged or the value is undefined.
    interval, balanced_interval : (float, float) or None
        Their intervals.
    interval_reason, balanced_interval_reason : str, default ""
        Why there is no interval.
    classifier : str, default ""
        What was chosen on validation.
    sources : int or None, default None
        Sources that were told apart.
    commonest : float or None, default None
        Share of the commonest source.
    reason : str, default ""
        Why the model was not judged.

    Raises
    ------
    ValueError
        If there is no accuracy and no reason.
    """

    accuracy: float | None
    interval: Interval | None
    balanced_accuracy: float | None
    balanced_interval: Interval | None
    interval_reason: str = ""
    balanced_interval_reason: str = ""
    classifier: str = ""
    sources: int | None = None
    commonest: float | None = None
    reason: str = ""

    def __post_init__(self) -> None:
        if self.accuracy is None and not self.reason:
            raise ValueError("`reason` is missing where there is no accuracy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortcuts:
    """What models that see no lungs, or hardly, reach on a split."""

    majority: Reached
    border: Reached
    thumbnail: Reached
    histogram: Reached
    size: Reached
    source: Reached
    label_from_source: Reached


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit(Shortcuts):
    """The same, what a run reaches there, whole and blanked, and what that means.

    Parameters
    ----------
    run, centre_blanked, border_blanked : Reached or None, default None
        Of the audited run.
    verdict : str
        A sentence.
    classes : tuple of str
        Sorted.
    split_sha256 : str
        Hash of the split.
    test_images : int
        Images of its test part.
    weights_sha256 : str, default ""
        Of the run.
    """

    run: Reached | None = None
    centre_blanked: Reached | None = None
    border_blanked: Reached | None = None
    verdict: str
    classes: tuple[str, ...]
    split_sha256: str
    test_images: int
    weights_sha256: str = ""

    def titled(self) -> tuple[tuple[str, Reached], ...]:
        """Return the models that predict labels and their titles, in the order of tables."""
        rows = (
            ("commonest label", self.majority),
            ("border: the outer eighth of each side", self.border),
            ("thumbnail of 32 x 32", self.thumbnail),
            ("gray histogram of 16 bins", self.histogram),
            ("size and aspect ratio", self.size),
            ("name of the source", self.label_from_source),
            ("the run", self.run),
            ("the run, centre blanked", self.centre_blanked),
            ("the run, border blanked", self.border_blanked),
        )
        return tuple((title, reached) for title, reached in rows if reached is not None)
