"""`import cxr_models`: what it loads, what it names, and the examples of its names."""

from __future__ import annotations

import doctest
import re

import pytest

import cxr_models
from tests.helpers.fresh_process import ROOT, run_code, run_module
from tests.helpers.radiographs import draw

FRAMEWORKS = ("tensorflow", "keras", "torch", "jax")


def test_importing_and_asking_for_help_loads_no_framework():
    done = run_code(
        """
        import cxr_models as cxm
        loaded = {"cv2", "sklearn", "scipy", "matplotlib", "typer", "numba"} & set(sys.modules)
        assert not loaded, loaded
        assert {"train", "Run", "GradCam", "split"} <= set(dir(cxm))
        assert len(cxm.__all__) == len(set(cxm.__all__))
        help(cxm)
        from cxr_models import *
        print(load_run.__module__)
        """,
        without=FRAMEWORKS,
    )
    assert "in the order in which a project needs them::" in done.stdout
    assert "def train(" in done.stdout or "train(split:" in done.stdout
    assert done.stdout.endswith("cxr_models.library.run\n")


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'cxr_models' has no attribute 'trian'"):
        cxr_models.trian  # noqa: B018


PROGRAM = """
import cxr_models as cxm

run = cxm.train(cxm.split(cxm.index("scans")), out="runs/a")
reveal_type(run)
reveal_type(run.predict(["a.png"]).labels)
reveal_type(cxm.audit_split("split.csv").verdict)
cxm.trian("split.csv")
"""


@pytest.mark.slow
def test_names_have_their_types_and_a_misspelt_one_is_an_error(tmp_path):
    pytest.importorskip("mypy")
    (tmp_path / "program.py").write_text(PROGRAM, encoding="utf-8")
    options = (
        "--strict", "--config-file=", "--ignore-missing-imports", "--no-error-summary",
        f"--cache-dir={tmp_path}", "--follow-imports=silent",
    )  # fmt: skip
    done = run_module(
        "mypy", *options, "program.py", cwd=tmp_path, env={"MYPYPATH": ROOT}, status=1
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("program.py")]
    assert [re.sub(r"^program.py:\d+: |; maybe .*", "", line) for line in lines] == [
        'note: Revealed type is "cxr_models.library.run.Run"',
        'note: Revealed type is "tuple[str, ...]"',
        'note: Revealed type is "str"',
        'error: Module has no attribute "trian"',
    ]


# --- examples ------------------------------------------------------------------------------------

NEEDS = {  # beside NumPy and OpenCV
    "GradCam": "tensorflow",
    "Run.evaluate": "tensorflow",
    "Run.predict": "tensorflow",
    "Split.to_tf": "tensorflow",
    "Split.to_torch": "torch",
    "audit_split": "sklearn",
    "build_classifier": "tensorflow",
    "evaluate_predictions": "scipy",
    "export": "tensorflow",
    "load_run": None,
    "train": "tensorflow",
}


def examples():
    """List the examples of the public names, methods included, with where they stand."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    for name in cxr_models.__all__:
        if not name.startswith("__"):
            for test in finder.find(getattr(cxr_models, name), name, module=False, globs={}):
                if test.examples:
                    yield test


EXAMPLES = list(examples())


def write_notebook(folder, monkeypatch):
    """Write what examples speak of: a folder of images, its split, and a run."""
    from cxr_enhance import write_image

    for number, label in enumerate(("covid", "normal")):
        (folder / "scans" / label).mkdir(parents=True)
        for patient in range(12):
            for image in range(2):
                seed = 10_000 + 1000 * number + 10 * patient + image
                name = f"scans/{label}/p{number}{patient:02d}-{image}.png"
                write_image(folder / name, draw(seed, 48, 0.8 * (1 - number)))
    monkeypatch.chdir(folder)
    manifest = cxr_models.index("scans", patient_pattern=r"p\d+")
    return cxr_models.split(manifest, seed=1, out="split.csv")


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")  # Keras has a metadata.json too
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_an_example_gives_what_it_says(example, tmp_path, monkeypatch, request):
    needs = NEEDS.get(example.name)
    if needs is not None:
        pytest.importorskip(needs, reason=f"{needs} is not installed", exc_type=ImportError)
    split = write_notebook(tmp_path, monkeypatch)
    if "runs/" in example.docstring or needs == "tensorflow":
        pytest.importorskip("keras", reason="keras is not installed", exc_type=ImportError)
        from tests.helpers.runs import make_run

        request.getfixturevalue("tiny_backbone")
        make_run(tmp_path / "runs" / "a", split)
    monkeypatch.setattr(cxr_models.backbones, "_registered", {})
    said = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    runner.run(example, out=said.append)
    assert runner.failures == 0, "".join(said)


def test_every_function_and_class_that_is_called_has_an_example():
    named = {example.name.partition(".")[0] for example in EXAMPLES}
    functions = {"index", "split", "train", "load_run", "audit_split", "GradCam", "export"}
    functions |= {"register_backbone", "build_classifier", "Run", "RunConfig", "Split"}
    functions |= {"evaluate_predictions"}
    assert functions - named == set()
