import importlib.util
import json
import pickle

import pytest

pytest.importorskip("tensorflow", reason="tensorflow is not installed")


from cxr_models.runs.folder import RunFolder
from tests.helpers.findings import multilabel, write_findings_split
from tests.helpers.fresh_process import run_code
from tests.helpers.tiny_backbone import tiny_config
from tests.helpers.trained import assert_best_weights_are_kept, assert_lowest_loss_is_kept

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("jax") is None, reason="jax is not installed"
)

_SCRIPT = """
import json, pickle, sys, warnings
import keras
warnings.filterwarnings("error", message="Model doesn't support `jit_compile=True`")
from cxr_models.training.train import train
from tests.helpers.tiny_backbone import tiny_application
assert keras.backend.backend() == "jax"
keras.applications.NASNetMobile = tiny_application
for split, config, out in pickle.load(open(sys.argv[1], "rb")):
    train(split, config, out)
"""
VIEWS = {"images": 0, "kept-features": 2}


def train_on_jax(jobs, folder, times=1):
    """Train in a process of its own, whose start takes longest, all that `jobs` lists."""
    job = folder / "jobs.pickle"
    job.write_bytes(pickle.dumps(jobs))
    for _ in range(times):
        run_code(_SCRIPT, job, env={"KERAS_BACKEND": "jax"})


@pytest.mark.slow
@pytest.mark.usefixtures("tiny_backbone")
def test_both_phases_train_on_jax_and_resume(small_split, tmp_path):
    jobs = [
        (
            small_split,
            tiny_config(cache_features=views, class_weights=True),
            tmp_path / f"run-{name}",
        )
        for name, views in VIEWS.items()
    ]
    train_on_jax(jobs, tmp_path, times=2)  # the second finds all done
    for split, config, out in jobs:
        assert json.loads((out / "run.json").read_text())["backend"] == "jax"
        rows = RunFolder(path=out).read_history()
        assert [row.phase for row in rows] == ["head"] * 3 + ["fine_tune"] * 2
        assert_best_weights_are_kept(out, split, config)


@pytest.mark.slow
@pytest.mark.usefixtures("tiny_backbone")
def test_several_findings_train_on_jax_by_the_loss_of_tensorflow(tmp_path):
    split = write_findings_split(tmp_path / "images")
    jobs = [
        (
            split,
            multilabel(tiny_config(cache_features=views), training__positive_weights=True),
            tmp_path / f"run-{name}",
        )
        for name, views in VIEWS.items()
    ]
    train_on_jax(jobs, tmp_path)
    for _, config, out in jobs:
        rows = RunFolder(path=out).read_history()
        assert [row.phase for row in rows] == ["head"] * 3 + ["fine_tune"] * 2
        assert_lowest_loss_is_kept(out, split, config)
