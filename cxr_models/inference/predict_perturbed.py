"""Predictions of a run for images that were changed before all other steps."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

import cxr_enhance
from cxr_enhance import EnhanceParams, usable_cpus
from cxr_models.audit.finding_robustness import compare_perturbed_findings
from cxr_models.audit.findings_results import FindingsRobustness
from cxr_models.audit.perturbations import PERTURBATIONS, random_of, white_of
from cxr_models.audit.results import ROBUSTNESS_FORMAT, Robustness
from cxr_models.audit.robustness import Changed, compare_perturbed, some_images
from cxr_models.evaluation.calibration import Temperature, fit_temperature, softmax
from cxr_models.evaluation.finding_predictions import sigmoid
from cxr_models.evaluation.finding_statistics import FindingOutcomes
from cxr_models.evaluation.findings_results import MULTILABEL
from cxr_models.evaluation.metrics import Outcomes
from cxr_models.evaluation.predictions import read_predictions, targets_of_labels
from cxr_models.inference.calibrated_run import calibration_of
from cxr_models.inputs.loader import ImageLoader, errors_name_file
from cxr_models.inputs.targets import finding_targets
from cxr_models.records.manifest import Manifest
from cxr_models.records.ties import components

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from cxr_models.config import DataConfig
    from cxr_models.evaluation.evaluate import Method
    from cxr_models.records.manifest import Record
    from cxr_models.records.splits import Split
    from cxr_models.runs.finished import FinishedRun

    Floats = npt.NDArray[np.float64]
    Ints = npt.NDArray[np.int64]
    Images = npt.NDArray[np.uint8]

_CHUNK_BYTES = 256 << 20  # maximum size of all views of the images that are predicted at once
_MOST_IMAGES = 64


class _Predicted(NamedTuple):
    """The predictions of a run for N unchanged and changed test images."""

    records: list[Record]
    patients: Ints  # (N,); number of each image's patient
    logits: Floats  # (N, K); logits of the unchanged images
    changed: list[Changed]  # predictions of the changed images, one for each change


def robustness_of(
    run: FinishedRun,
    split: Split,
    method: Method,
    *,
    images: int | None = None,
    progress: Callable[[int], object] | None = None,
) -> Robustness | FindingsRobustness:
    """Return the values of a run on the unchanged and on the changed test images of its split.

    Parameters
    ----------
    run : FinishedRun
        A run with classes or with findings.
    split : Split
        The split of the run; its test part has at least one image.
    method : Method
        Number of draws and seed of the bootstrap. The seed is also used for noise, directions of
        rotation and the choice of images.
    images : int, optional
        Approximate number of test images; see `cxr_models.audit.robustness.some_images`. None uses
        all test images.
    progress : callable, optional
        Function that is called after each group of images with their number.

    Raises
    ------
    ValueError
        If a file is not a readable image, the weights do not fit, or the evaluation is not a valid
        result of `cxr-models evaluate`.
    OSError
        If a file cannot be read.
    """
    findings, test = run.config.model.findings, split.select("test")
    of_findings = run.config.model.task == MULTILABEL
    temperature = Temperature(1.0) if of_findings else _temperature_of_images(run)
    records, all_paths = test.records, test.paths()
    places = some_images(records, images or len(records), method.seed, findings)
    chosen = [records[place] for place in places]
    logits, changed = predict_perturbed(
        run,
        [record.file for record in chosen],
        [all_paths[place] for place in places],
        seed=method.seed,
        progress=progress,
    )
    patients = np.unique(components(chosen), return_inverse=True)[1].astype(np.int64)
    predicted = _Predicted(chosen, patients, logits, changed)
    if of_findings:
        return _of_findings(run, split, method, predicted)
    return _of_classes(run, split, method, predicted, temperature)


def _of_classes(
    run: FinishedRun, split: Split, method: Method, predicted: _Predicted, temperature: Temperature
) -> Robustness:
    labels = [record.label for record in predicted.records]
    outcomes = Outcomes(
        class_names=run.class_names,
        targets=targets_of_labels(labels, run.class_names, run.labels),
        logits=predicted.logits,
        probabilities=softmax(predicted.logits),
        patients=predicted.patients,
        temperature=temperature.value,
    )
    unperturbed, perturbed = compare_perturbed(outcomes, predicted.changed, method)
    return Robustness(
        format=ROBUSTNESS_FORMAT,
        version=cxr_enhance.__version__,
        classes=run.class_names,
        split_sha256=split.hash,
        weights_sha256=run.weights_sha256,
        temperature=temperature.value,
        uncalibrated=temperature.reason or "",
        bootstrap=method.bootstrap,
        seed=method.seed,
        images=len(labels),
        patients=int(predicted.patients.max()) + 1,
        test_images=len(split.select("test").records),
        unperturbed=unperturbed,
        perturbed=perturbed,
    )


def _of_findings(
    run: FinishedRun, split: Split, method: Method, predicted: _Predicted
) -> FindingsRobustness:
    model = run.config.model
    manifest = Manifest(records=tuple(predicted.records), root=split.manifest.root)
    outcomes = FindingOutcomes(
        findings=model.findings,
        targets=finding_targets(manifest, model.findings),
        logits=predicted.logits,
        probabilities=sigmoid(predicted.logits),
        patients=predicted.patients,
        temperatures=(1.0,) * len(model.findings),  # areas do not depend on the temperature
        thresholds=(None,) * len(model.findings),
    )
    compared = compare_perturbed_findings(outcomes, predicted.changed, method)
    return FindingsRobustness(
        format=ROBUSTNESS_FORMAT,
        version=cxr_enhance.__version__,
        task=MULTILABEL,
        findings=model.findings,
        split_sha256=split.hash,
        weights_sha256=run.weights_sha256,
        bootstrap=method.bootstrap,
        seed=method.seed,
        images=len(predicted.records),
        patients=int(predicted.patients.max()) + 1,
        test_images=len(split.select("test").records),
        over=compared.over,
        left_out=compared.left_out,
        unperturbed=compared.unperturbed,
        perturbed=compared.perturbed,
    )


def _temperature_of_images(run: FinishedRun) -> Temperature:
    """Return the temperature of single images, or 1 with the reason.

    If the evaluation joined images to patients or studies, its temperature does not apply to single
    images. The temperature is then fitted on the stored predictions of ``val``, which are those of
    single images.
    """
    calibration = calibration_of(run)
    if not calibration.no_temperature_reason:
        return Temperature(calibration.temperature)
    table = run.folder.predictions_file("val")
    if table.is_file():
        validation = read_predictions(table)
        same = validation.origin.weights_sha256 == run.weights_sha256
        if same and validation.class_names == run.class_names:
            outcomes = validation.outcomes()
            return fit_temperature(outcomes.logits, outcomes.targets)
    return Temperature(1.0, calibration.no_temperature_reason)


def perturbed_views(image: Any, data: DataConfig, *, file: str, seed: int) -> list[Images]:
    """Return the prepared model inputs of an image: unchanged, with each change, and re-enhanced.

    Parameters
    ----------
    image : ndarray of shape (H, W) or (H, W, 3)
        The image, as `cxr_enhance.read_image` returns it; not modified.
    data : DataConfig
        The settings with which the model was trained.
    file : str
        Name of the file in its split. Noise and the direction of rotation depend only on this name,
        on `seed` and on the kind of change.
    seed : int
        Seed of noise and of directions of rotation.

    Returns
    -------
    list of ndarray of shape (H', W', C), dtype uint8
        The unchanged image, then one image for each of `PERTURBATIONS`, then the result of
        `enhanced_otherwise`.
    """
    load = ImageLoader(data)
    white = white_of(image, None if data.enhance is None else data.enhance.bits)
    views = [load.prepare(image)]  # first: it raises where the settings do not fit the image
    for perturbation in PERTURBATIONS:
        random = random_of(seed, file, perturbation.name)
        changed = perturbation.change(image, white=white, random=random)
        views.append(load.prepare(changed))
    return [*views, enhanced_otherwise(image, data)]


def enhanced_otherwise(image: Any, data: DataConfig) -> Images:
    """Return an image with the opposite enhancement setting of the model.

    A model trained without enhancement gets the default enhancement. A model trained with
    enhancement gets an image without white balance and without CLAHE. Size, fit, crop of borders,
    order of steps and number of channels are those of `data`.

    Parameters
    ----------
    image : ndarray of shape (H, W) or (H, W, 3)
        The image, as it was read; not modified.
    data : DataConfig
        The settings with which the model was trained.
    """
    if data.enhance is None:
        enhanced = ImageLoader(dataclasses.replace(data, enhance=EnhanceParams())).prepare(image)
        return np.repeat(enhanced, data.channels, axis=-1)
    gray_alone = dataclasses.replace(data.enhance, percentiles=None, clip_limit=None)
    return ImageLoader(dataclasses.replace(data, enhance=gray_alone)).prepare(image)


def predict_perturbed(
    run: FinishedRun,
    files: Sequence[str],
    paths: Sequence[str],
    *,
    seed: int,
    progress: Callable[[int], object] | None = None,
) -> tuple[Floats, list[Changed]]:
    """Predict images unchanged, with each change, and with the opposite enhancement setting.

    Parameters
    ----------
    run : FinishedRun
        The run.
    files : sequence of str
        Names of the N images in the split.
    paths : sequence of str
        Paths of the N images; each file is read once.
    seed : int
        Seed of noise and of directions of rotation.
    progress : callable, optional
        Function that is called after each group of images with their number.

    Returns
    -------
    logits : ndarray of shape (N, K), dtype float64
        The logits of the unchanged images.
    changed : list of Changed
        The logits of the changed images, one record for each change.

    Raises
    ------
    ValueError
        If a file is not a readable image, or the weights do not fit.
    OSError
        If a file cannot be read.
    """
    from cxr_models.inference.logits import logits_model, predict_logits
    from cxr_models.networks.load import load_classifier

    data, model = run.config.data, logits_model(load_classifier(run))
    multilabel = run.config.model.task == "multilabel"
    names = _names(data)
    logits: list[list[Floats]] = [[] for _ in range(1 + len(names))]

    def views(place: int) -> list[Images]:
        image = cxr_enhance.read_image(paths[place])
        with errors_name_file(paths[place]):
            return perturbed_views(image, data, file=files[place], seed=seed)

    at_once = _images_at_once(data, len(logits))
    with ThreadPoolExecutor(usable_cpus()) as pool:
        for start in range(0, len(paths), at_once):
            places = range(start, min(start + at_once, len(paths)))
            chunk = list(pool.map(views, places))
            for number, images in enumerate(zip(*chunk, strict=True)):
                part = predict_logits(model, np.stack(images), multilabel=multilabel)
                logits[number].append(part)
            if progress is not None:
                progress(len(places))
    whole, *changed = (np.concatenate(parts) for parts in logits)
    return whole, [
        Changed(name, title, values) for (name, title), values in zip(names, changed, strict=True)
    ]


def _names(data: DataConfig) -> list[tuple[str, str]]:
    """Return the name and the title of every change."""
    names = [(p.name, p.title) for p in PERTURBATIONS]
    title = "without enhancement" if data.enhance is not None else "with enhancement"
    return [*names, ("enhancement", title)]


def _images_at_once(data: DataConfig, views: int) -> int:
    height, width = data.image_size
    return min(max(_CHUNK_BYTES // (height * width * data.channels * views), 1), _MOST_IMAGES)
