"""What a run folder must hold once training has ended."""

import numpy as np
import pytest

from cxr_models.inputs.loader import ImageLoader
from cxr_models.inputs.targets import targets_of
from cxr_models.networks.load import load_classifier
from cxr_models.runs.finished import FinishedRun
from cxr_models.runs.folder import RunFolder


def assert_best_weights_are_kept(out, split, config):
    """Fail unless the kept weights give the validation loss of the last phase's best epoch."""
    folder, part = RunFolder(path=out), split.select("val")
    history = folder.read_history()
    rows = [row for row in history if row.phase == history[-1].phase]
    best = max(rows, key=lambda row: row.val_accuracy)  # the first of equals
    classes = split.class_names()
    run = FinishedRun(folder=folder, config=config, labels=classes, split=split, weights_sha256="")
    model = load_classifier(run)
    shares = model.predict(ImageLoader(config.data)(part.paths()), verbose=0).astype(np.float64)
    if shares.shape[1] == 1:
        shares = np.hstack([1 - shares, shares])
    targets = targets_of(part, classes, config.model)
    losses = -np.log(shares[np.arange(len(targets)), targets])
    assert losses.mean() == pytest.approx(best.val_loss, abs=1e-5)
