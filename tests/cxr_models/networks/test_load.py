import pytest

pytest.importorskip("tensorflow", reason="tensorflow is not installed")

from cxr_models.networks.load import load_classifier
from cxr_models.runs.finished import read_run
from tests.helpers.random_states import draws_around
from tests.helpers.runs import make_run, write_small_split


@pytest.mark.usefixtures("tiny_backbone")
def test_loading_a_run_leaves_the_random_states_of_the_caller_alone(tmp_path):
    run = read_run(make_run(tmp_path / "run", write_small_split(tmp_path / "images")))
    assert draws_around(lambda: load_classifier(run)) == draws_around()
