"""A finished run as an object that predicts and evaluates: `Run`, `load_run`, `export`."""

from __future__ import annotations

import functools
import os
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cxr_models._typed_json import read_object
from cxr_models.backbones import BACKBONES, register_backbone
from cxr_models.library.arguments import items_of
from cxr_models.library.own_backbone import check_pair
from cxr_models.library.warned import warns_beside
from cxr_models.library.wording import says_arguments
from cxr_models.runs.folder import RunFolder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Literal

    import keras

    from cxr_models.config import RunConfig
    from cxr_models.evaluation.findings_results import FindingsEvaluation
    from cxr_models.evaluation.results import Evaluation
    from cxr_models.inference.calibrated_run import ServedRun
    from cxr_models.records.splits import Split
    from cxr_models.runs.facts import EpochRow

    OneImage = str | os.PathLike[str] | npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
    Images = OneImage | Sequence[OneImage]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Predicted:
    """The predictions of a run for N images, or for N patients or studies.

    Parameters
    ----------
    probabilities : ndarray of shape (N, K), dtype float64
        Probability of each class, or of each finding.
    class_names : tuple of str
        Names of the K classes or findings.
    files : tuple of str
        File of each image, or the first file of each patient or study. The name is empty for an
        array.
    calibrated : bool
        Whether the probabilities are calibrated. They are if the last evaluation of the run fitted
        a temperature and joined images in the same way as this prediction.
    called : tuple of tuple of str
        For each image, patient or study, the classes or findings whose operating point its
        probabilities reach. Empty if there are no operating points for these predictions.
    multilabel : bool, default False
        Whether the run predicts findings. An image may have several findings, and one class.
    joined_files : tuple of tuple of str
        All files of each patient or study. Empty if the predictions are of images.
    """

    probabilities: npt.NDArray[np.float64]
    class_names: tuple[str, ...]
    files: tuple[str, ...]
    calibrated: bool
    called: tuple[tuple[str, ...], ...] = ()
    multilabel: bool = False
    joined_files: tuple[tuple[str, ...], ...] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        """The most probable class of each image.

        Raises
        ------
        ValueError
            If the run predicts findings. An image may have several findings or no finding.
        """
        if self.multilabel:
            raise ValueError(
                "`labels` is only allowed for runs with classes; got one with findings, of which "
                "an image may have several. Take `called`, which has them once run.evaluate() was "
                "called, or `probabilities`."
            )
        return tuple(self.class_names[place] for place in self.probabilities.argmax(axis=1))

    def __len__(self) -> int:
        return len(self.probabilities)


class Run:
    """A finished run, as `train` and `load_run` return it.

    Parameters
    ----------
    served : cxr_models.inference.calibrated_run.ServedRun
        The run and its calibration.
    split_file : str or PathLike, optional
        File of its split. None takes the split in the folder of the run.

    Notes
    -----
    The network is built at the first call that needs it, and kept in memory.
    """

    def __init__(
        self, served: ServedRun, *, split_file: str | os.PathLike[str] | None = None
    ) -> None:
        self._served = served
        self._split_file = split_file

    def __repr__(self) -> str:
        model = self.config.model
        state = "calibrated" if self.calibrated else "not calibrated"
        return (
            f"<Run {str(self.path)!r}: {model.backbone}, {model.task} "
            f"{', '.join(self.class_names)}, {state}>"
        )

    @property
    def path(self) -> Path:
        """The folder of the run."""
        return self._served.run.folder.path

    @property
    def config(self) -> RunConfig:
        """The settings of its training."""
        return self._served.run.config

    @property
    def split(self) -> Split:
        """The split it was trained on."""
        return self._served.run.split

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of its classes, or of its findings."""
        return self._served.class_names

    @property
    def calibrated(self) -> bool:
        """Whether its probabilities are calibrated."""
        return not self._served.calibration.no_temperature_reason

    @property
    def history(self) -> list[EpochRow]:
        """A row for each epoch of its training."""
        return self._served.run.folder.read_history()

    @functools.cached_property
    def model(self) -> keras.Model:
        """The network with the weights of the run.

        It takes images as `prepare` returns them, and returns probabilities that are not
        calibrated. Call it with ``training=False``, or call its method ``predict``.
        """
        return self._served.load()

    @functools.cached_property
    def _logits(self) -> keras.Model:
        from cxr_models.inference.logits import logits_model

        return logits_model(self.model)

    @says_arguments(INPUT="images", RUN="run")
    def predict(
        self,
        images: Images,
        *,
        batch_size: int | None = None,
        aggregate: str | None = None,
        aggregate_by: str | None = None,
        records: str | os.PathLike[str] | None = None,
    ) -> Predicted:
        """Return the probabilities of images. They are read and enhanced as for the training.

        Parameters
        ----------
        images : str, PathLike, ndarray, or sequence of these
            Files, folders of files, or images as `cxr_enhance.read_image` returns them: arrays of
            shape (H, W) or (H, W, 3), RGB, dtype uint8 or uint16. An array of shape (N, H, W) or
            (N, H, W, 3) is N images.
        batch_size : int, optional
            Number of images that are in memory at the same time. None takes the batch size of the
            training.
        aggregate : {"patient", "study"}, optional
            Whether the images of each patient, or of each study, are joined to one prediction. A
            file that is given twice then counts once. A file whose patient or study is unknown has
            its own prediction. None predicts images.
        aggregate_by : {"mean", "max"}, optional
            How predictions are joined: by the mean of the logits, or by the maximum. None takes
            the mean.
        records : str or PathLike, optional
            Manifest with the patient and study of each file. None reads them from the headers of
            DICOM files.

        Returns
        -------
        Predicted
            Predictions in the order of `images`; patients and studies in the order of their first
            files. They are calibrated if the last evaluation of the run had the same `aggregate`
            and `aggregate_by`.

        Raises
        ------
        TypeError
            If an item is neither a file name nor an array, or an array has another dtype.
        ValueError
            If there is no image, a file contains no image, the weights do not fit the network, or
            an option is not allowed. If images cannot be joined: one is an array, no file has a
            patient or study, or more than two classes are joined by the maximum.
        OSError
            If a file cannot be read.

        Examples
        --------
        >>> import numpy as np, cxr_models as cxm
        >>> run = cxm.load_run("runs/a")
        >>> predicted = run.predict(["scans/covid/p000-0.png", "scans/normal/p100-0.png"])
        >>> predicted.probabilities.shape, predicted.class_names
        ((2, 2), ('covid', 'normal'))
        >>> run.predict(np.zeros((300, 250), np.uint16)).probabilities.shape
        (1, 2)
        """
        from cxr_models.evaluation.options import aggregation_of
        from cxr_models.inference.calibrated_run import read_served_run
        from cxr_models.inference.logits import predict_logits
        from cxr_models.inference.predict_files import Row
        from cxr_models.inference.predicted_units import check_units, joined_rows, keys_of_files

        aggregation, served = aggregation_of(aggregate, aggregate_by), self._served
        if aggregation is not None:
            served = read_served_run(self.path, split=self._split_file, aggregation=aggregation)
        check_units(served, aggregation, records)
        items = _items(images)
        size = self.config.training.batch_size if batch_size is None else batch_size
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            raise ValueError(f"`batch_size` must be an int of at least 1, or None; got {size!r}.")
        files = ["" if isinstance(item, np.ndarray) else item for item in items]
        if aggregation is not None and "" in files:
            raise ValueError(
                "`aggregate` is only allowed for files; got an array, which states no patient or "
                "study."
            )
        if aggregation is not None:
            files = _each_once(files)
            items = list(files)
        keys = [] if aggregation is None else keys_of_files(files, aggregation, records)
        logits = np.concatenate(
            [
                predict_logits(
                    self._logits,
                    self._prepared(items[start : start + size]),
                    multilabel=served.multilabel,
                )
                for start in range(0, len(items), size)
            ]
        )
        probabilities = served.probabilities(logits)
        joined: list[Row] = []
        if aggregation is not None:
            rows = [
                Row(file=file, probabilities=tuple(shares), error="", logits=tuple(of_image))
                for file, shares, of_image in zip(
                    files, probabilities.tolist(), logits.tolist(), strict=True
                )
            ]
            joined = joined_rows(
                rows,
                keys,
                aggregation,
                to_probabilities=served.probabilities,
                multilabel=served.multilabel,
            )
            files = [row.file for row in joined]
            probabilities = np.array([row.probabilities for row in joined])
        return Predicted(
            probabilities=probabilities,
            class_names=self.class_names,
            files=tuple(files),
            calibrated=not served.calibration.no_temperature_reason,
            multilabel=served.multilabel,
            called=_called(served, probabilities),
            joined_files=tuple(row.files for row in joined),
        )

    @says_arguments(INPUT="images")
    def prepare(self, images: Images) -> npt.NDArray[np.uint8]:
        """Return images in the form that `model` takes.

        Parameters
        ----------
        images : str, PathLike, ndarray, or sequence of these
            As for `predict`.

        Returns
        -------
        ndarray of shape (N, H, W, C), dtype uint8
            Enhanced images with C = 1, or RGB images with C = 3 if the run has no enhancement.

        Raises
        ------
        TypeError, ValueError, OSError
            As for `predict`.
        """
        return self._prepared(_items(images))

    def _prepared(self, items: Sequence[str | npt.NDArray[Any]]) -> npt.NDArray[np.uint8]:
        from cxr_enhance import usable_cpus
        from cxr_models.inputs.loader import ImageLoader

        load = ImageLoader(self.config.data)

        def prepared(item: str | npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
            return load.load(item) if isinstance(item, str) else load.prepare(item)

        with ThreadPoolExecutor(max(min(usable_cpus(), len(items)), 1)) as pool:
            return np.stack(list(pool.map(prepared, items)))

    @says_arguments(RUN="run")
    def evaluate(
        self,
        *,
        external: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] = (),
        sensitivity: float | None = None,
        prevalence: float | Sequence[float] = (),
        at_specificity: float | Sequence[float] = (),
        aggregate: str | None = None,
        aggregate_by: str | None = None,
        by: str | Sequence[str] | None = None,
        from_predictions: bool = False,
        draws: int = 2000,
        seed: int = 0,
        say: Callable[[str], object] | None = None,
    ) -> Evaluation | FindingsEvaluation:
        """Evaluate the run on its sets and on other sources, with intervals, and calibrate it.

        The function does the same as ``cxr-models evaluate RUN``. It stores predictions and results
        in the folder of the run. `predict`, `export` and ``cxr-models report`` use them.

        Parameters
        ----------
        external : str, PathLike or sequence of these, default ()
            Manifests of images from other sources. Each is a further test set.
        sensitivity : float, optional
            Sensitivity that each operating point must reach on val. None takes the point with the
            largest sum of sensitivity and specificity (Youden).
        prevalence : float or sequence of float, default ()
            Prevalences for which predictive values are computed. By default the prevalence of each
            set is taken.
        at_specificity : float or sequence of float, default ()
            Specificities on val for which sensitivities are computed.
        aggregate : {"patient", "study"}, optional
            Whether the images of each patient, or of each study, are joined to one prediction. None
            evaluates images. After such an evaluation `predict` is calibrated if it joins images
            in the same way.
        aggregate_by : {"mean", "max"}, optional
            How predictions are joined: by the mean of the logits, or by the maximum. None takes
            the mean.
        by : str or sequence of str, optional
            Columns by which images are grouped: ``"sex,age"``, or ``["dose:10:50"]`` for bands.
        from_predictions : bool, default False
            Whether the stored predictions in the folder of the run are evaluated. Images and
            TensorFlow are not needed then.
        draws : int, default 2000
            Number of bootstrap draws of patients, for the intervals.
        seed : int, default 0
            Seed of the bootstrap draws.
        say : callable, optional
            Function that is called with lines of text about the progress.

        Returns
        -------
        cxr_models.evaluation.results.Evaluation
            All values by set, such as ``evaluation.sets["test"].overall.accuracy.value``. For a run
            with several findings, a `cxr_models.evaluation.findings_results.FindingsEvaluation`.

        Raises
        ------
        TypeError, ValueError
            If an argument is not allowed, an external set holds images of the training, or there is
            no val.
        OSError
            If an image cannot be read.

        Warns
        -----
        UserWarning
            If an external set shares near copies, patients or public sources with the images that
            the run has seen, or if a run behind its weights is gone.

        Examples
        --------
        >>> import cxr_models as cxm
        >>> run = cxm.load_run("runs/a")
        >>> evaluation = run.evaluate(draws=100)
        >>> accuracy = evaluation.sets["test"].overall.accuracy
        >>> 0 <= accuracy.value <= 1, evaluation.sets["test"].images
        (True, 8)
        """
        from cxr_models.evaluation.options import columns_of, method_of
        from cxr_models.evaluation.stored import write_evaluation
        from cxr_models.inference import evaluated_runs
        from cxr_models.inference.calibrated_run import read_served_run

        tell = warns_beside(say)
        method = method_of(
            draws=draws,
            seed=seed,
            sensitivity=sensitivity,
            prevalence=prevalence,
            at_specificity=at_specificity,
            aggregate=aggregate,
            aggregate_by=aggregate_by,
        )
        externals = items_of(external)
        evaluated_runs.check_from_predictions(from_predictions, externals, None)
        finished, columns = self._served.run, columns_of(by)
        job = (
            evaluated_runs.stored_to_evaluate(
                self.path, method, name=finished.name, columns=columns, say=tell
            )
            if from_predictions
            else evaluated_runs.run_to_evaluate(
                finished, method, externals=externals, columns=columns, say=tell
            )
        )
        sets = evaluated_runs.sets_to_evaluate(job, say=tell)
        evaluation = evaluated_runs.evaluated(job, evaluated_runs.joined_sets(job, sets, say=tell))
        write_evaluation(self.path, evaluation)
        self._served = read_served_run(self.path, split=self._split_file)
        return evaluation


def _called(
    served: ServedRun, probabilities: npt.NDArray[np.float64]
) -> tuple[tuple[str, ...], ...]:
    from cxr_models.evaluation.operating_points import called

    thresholds, names = served.calibration.thresholds, served.class_names
    if not thresholds:
        return ()
    if not served.multilabel:
        return tuple(called(row, names, thresholds) for row in probabilities.tolist())
    points = np.array([np.inf if point is None else point for point in thresholds])
    return tuple(
        tuple(name for name, reached in zip(names, row, strict=True) if reached)
        for row in probabilities >= points
    )


@says_arguments(RUN="folder")
def load_run(
    folder: str | os.PathLike[str],
    *,
    split: str | os.PathLike[str] | None = None,
    backbone: Callable[..., Any] | None = None,
    preprocess: Callable[[Any], Any] | None = None,
) -> Run:
    """Load a finished run from its folder.

    Parameters
    ----------
    folder : str or PathLike
        Folder that `train` or ``cxr-models train`` wrote. Nothing in it is executed, so folders of
        other people are safe to load.
    split : str or PathLike, optional
        File of the run's split, if its images were moved after the training.
    backbone, preprocess : callable, optional
        The functions of your own backbone, if the run was trained with one. A run stores the name
        of the backbone and not the functions.

    Returns
    -------
    Run
        The run. Its predictions of images are calibrated if its last evaluation fitted a
        temperature and did not join images.

    Raises
    ------
    TypeError, ValueError
        If the folder does not hold a finished run, a file in it was changed or moved, or
        `backbone` and `preprocess` are missing or not allowed.
    OSError
        If a file cannot be read.

    Examples
    --------
    >>> import cxr_models as cxm
    >>> run = cxm.load_run("runs/a")
    >>> run
    <Run 'runs/a': nasnet_mobile, multiclass covid, normal, not calibrated>
    """
    from cxr_models.inference.calibrated_run import read_served_run

    if isinstance(backbone, str):
        raise TypeError(
            "`backbone` must be the function of a network of your own; got the name "
            f"{backbone!r}. Leave it out: a run stores the name of its backbone."
        )
    check_pair(backbone, preprocess)
    if callable(backbone) and preprocess is not None:
        register_backbone(_stored_name(Path(folder)), backbone, preprocess)
    return Run(read_served_run(folder, split=split), split_file=split)


@says_arguments(RUN="run")
def export(
    run: Run | str | os.PathLike[str],
    *,
    out: str | os.PathLike[str],
    format: Literal["keras", "saved_model", "onnx", "litert"],
    channels: int = 3,
    bit_depth: int = 8,
    input_size: tuple[int, int] | None = None,
    white_balanced: bool = False,
    border_cropped: bool = False,
    overwrite: bool = False,
    say: Callable[[str], object] | None = None,
) -> dict[str, object]:
    """Write the model of a run to a file that other programs can use.

    The exported model takes raw images and returns probabilities. The probabilities are calibrated
    if the last evaluation of the run fitted a temperature and did not join images.

    Parameters
    ----------
    run : Run, str or PathLike
        The run, or its folder.
    out : str or PathLike
        New file with the suffix ``.keras``, ``.onnx`` or ``.tflite``; for ``saved_model`` a new
        folder.
    format : {"keras", "saved_model", "onnx", "litert"}
        File format.
    channels : {3, 1}, default 3
        Number of channels of its input: 3 for RGB, 1 for gray.
    bit_depth : {8, 16}, default 8
        Bits per value of its input: uint8 or uint16.
    input_size : (int, int), optional
        Fixed height and width of its input. None allows any size; for ``litert`` None takes the
        size of the network.
    white_balanced, border_cropped : bool, default False
        Whether the exported model leaves out white balance, or the cropping of borders, because
        you apply this step before.
    overwrite : bool, default False
        Whether an earlier export may be replaced.
    say : callable, optional
        Function that is called with a line of text before each step.

    Returns
    -------
    dict of str to object
        The metadata in the export: classes, temperature, operating points, settings and hashes.

    Raises
    ------
    TypeError, ValueError
        If the format does not support these options, or the name does not fit the format.
    FileExistsError
        If `out` exists and `overwrite` is false.
    ImportError
        If a package that the format needs is not installed.
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> import cxr_models as cxm
    >>> metadata = cxm.export("runs/a", out="a.keras", format="keras")
    >>> metadata["class_names"], metadata["input"]["shape"]
    (['covid', 'normal'], [None, None, None, 3])
    """
    from cxr_models.inference.export import export as export_served
    from cxr_models.inference.intake import Intake

    served = (run if isinstance(run, Run) else load_run(run))._served
    intake = Intake(
        channels=channels,
        bit_depth=bit_depth,
        size=input_size,
        white_balanced=white_balanced,
        border_cropped=border_cropped,
    )
    with warnings.catch_warnings(action="ignore"):  # the exporters', about themselves
        return export_served(served, out, format, intake=intake, overwrite=overwrite, say=say)


def _stored_name(folder: Path) -> str:
    """Return the name of the backbone in a run's settings; it may not be registered yet."""
    file = RunFolder(path=folder).config_file
    model = read_object(file).get("model") if file.is_file() else None
    name = model.get("backbone") if isinstance(model, dict) else None
    if not isinstance(name, str) or name in BACKBONES:
        raise ValueError(
            "`backbone` is only allowed with a run of a network of its own; got "
            f"{str(folder)!r}, whose network is {name!r}. Leave it out."
        )
    return name


def _items(images: Images) -> list[str | npt.NDArray[Any]]:
    """Return a list of file names and of arrays with one image each."""
    if isinstance(images, np.ndarray):
        stacked = images.ndim == 4 or (images.ndim == 3 and images.shape[-1] not in (1, 3))
        items: list[str | npt.NDArray[Any]] = list(images) if stacked else [images]
    elif isinstance(images, str | os.PathLike):
        items = _files_of(images)
    elif isinstance(images, list | tuple):
        items = []
        for image in images:
            if isinstance(image, str | os.PathLike):
                items += _files_of(image)
            elif isinstance(image, np.ndarray):
                items.append(image)
            else:
                raise _no_image(image)
    else:
        raise _no_image(images)
    if not items:
        raise ValueError("`images` must hold at least one image; got none.")
    return items


def _each_once(files: Sequence[str]) -> list[str]:
    """Return the files without repetitions, also under other names, as the command takes them."""
    first: dict[str, str] = {}
    for file in files:
        first.setdefault(os.path.realpath(file), file)
    return list(first.values())


def _files_of(path: str | os.PathLike[str]) -> list[Any]:
    from cxr_models.inference.predict_files import find_sources

    if os.path.isdir(path):
        return [source.path for source in find_sources([path])]
    return [os.fspath(path)]


def _no_image(value: object) -> TypeError:
    return TypeError(
        "`images` must be names of files, NumPy arrays, or a list of these; got "
        f"{type(value).__name__}. Make arrays of others with np.asarray."
    )
