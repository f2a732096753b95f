"""Training of a run, its network with the kept weights, and checks of its folder."""

import numpy as np
import pytest

from cxr_models.inputs.loader import ImageLoader
from cxr_models.inputs.targets import finding_targets, targets_of
from cxr_models.networks.load import load_classifier
from cxr_models.runs.finished import FinishedRun
from cxr_models.runs.folder import RunFolder
from cxr_models.training.train import train


def trained_model(split, config, out, **options):
    """Train a run, and return its network with the weights that were kept."""
    return kept_model(train(split, config, out, **options), split, config)


def kept_model(folder, split, config):
    """Return the network of a run that has ended."""
    labels = split.class_names()
    run = FinishedRun(folder=folder, config=config, labels=labels, split=split, weights_sha256="")
    return load_classifier(run)


def assert_best_weights_are_kept(out, split, config):
    """Fail unless the kept weights give the validation loss of the last phase's best epoch."""
    folder, part = RunFolder(path=out), split.select("val")
    history = folder.read_history()
    rows = [row for row in history if row.phase == history[-1].phase]
    best = max(rows, key=lambda row: row.val_accuracy)  # the first of equal epochs
    model = kept_model(folder, split, config)
    shares = model.predict(ImageLoader(config.data)(part.paths()), verbose=0).astype(np.float64)
    if shares.shape[1] == 1:
        shares = np.hstack([1 - shares, shares])
    targets = targets_of(part, split.class_names(), config.model)
    losses = -np.log(shares[np.arange(len(targets)), targets])
    assert losses.mean() == pytest.approx(best.val_loss, abs=1e-5)


def assert_lowest_loss_is_kept(out, split, config):
    """Fail unless the kept weights give the lowest loss of known validation labels of any epoch."""
    folder = RunFolder(path=out)
    best = min(folder.read_history(), key=lambda row: row.val_loss)
    kept = folder.read_facts().kept
    assert (kept.phase, kept.epoch) == (best.phase, best.epoch)
    loss = known_loss(kept_model(folder, split, config), split.select("val"), config)
    assert loss == pytest.approx(best.val_loss, abs=1e-5)


def known_loss(model, manifest, config):
    """Return the mean cross-entropy over the known labels of images, computed without Keras."""
    shares = model.predict(ImageLoader(config.data)(manifest.paths()), verbose=0)
    shares = shares.astype(np.float64)
    targets = finding_targets(manifest, config.model.findings, config.model.uncertain)
    losses = -np.log(np.where(targets == 1, shares, 1 - shares))
    return losses[targets >= 0].mean()
