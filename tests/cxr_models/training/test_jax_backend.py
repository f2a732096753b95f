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
split, config, out = pickle.load(open(sys.argv[1], "rb"))
train(split, config, out)
"""


@pytest.mark.slow
@pytest.mark.usefixtures("tiny_backbone")
@pytest.mark.parametrize("views", [0, 2], ids=["images", "kept-features"])
def test_both_phases_train_on_jax_and_resume(small_split, tmp_path, views):
    config = tiny_config(cache_features=views, class_weights=True)
    out, job = tmp_path / "run", tmp_path / "job.pickle"
    job.write_bytes(pickle.dumps((small_split, config, out)))
    for _ in range(2):  # the second finds all done
        run_code(_SCRIPT, job, env={"KERAS_BACKEND": "jax"})
    assert json.loads((out / "run.json").read_text())["backend"] == "jax"
    rows = RunFolder(path=out).read_history()
    assert [row.phase for row in rows] == ["head"] * 3 + ["fine_tune"] * 2
    assert_best_weights_are_kept(out, small_split, config)


@pytest.mark.slow
@pytest.mark.usefixtures("tiny_backbone")
@pytest.mark.parametrize("views", [0, 2], ids=["images", "kept-features"])
def test_several_findings_train_on_jax_by_the_loss_of_tensorflow(tmp_path, views):
    split = write_findings_split(tmp_path / "images")
    config = multilabel(tiny_config(cache_features=views), training__positive_weights=True)
    out, job = tmp_path / "run", tmp_path / "job.pickle"
    job.write_bytes(pickle.dumps((split, config, out)))
    for _ in range(2):  # the second finds all done
        run_code(_SCRIPT, job, env={"KERAS_BACKEND": "jax"})
    rows = RunFolder(path=out).read_history()
    assert [row.phase for row in rows] == ["head"] * 3 + ["fine_tune"] * 2
    assert_lowest_loss_is_kept(out, split, config)
