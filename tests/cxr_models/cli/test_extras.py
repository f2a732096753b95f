"""A package that is missing is named with the command that brings it."""

import re
import tomllib

import pytest

pytest.importorskip("typer", reason="typer is not installed")

from cxr_models.cli._extras import _EXTRAS, _NAMES
from tests.helpers.fresh_process import ROOT, run_code

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
DISTRIBUTIONS = {**_NAMES, "ai_edge_litert": "ai-edge-litert"}  # where the name differs
MAIN = "from cxr_models.cli import main; sys.exit(main(sys.argv[1:]))"
INSTALL = 'Install it with: pip install "cxr-enhance[models]"\n'


def brought_by(extra):
    """Return the distributions that an extra installs, those of extras in it included."""
    found = set()
    for requirement in PROJECT["optional-dependencies"][extra]:
        name, inside = re.match(r"([\w.-]+)(?:\[([\w,-]+)\])?", requirement).groups()
        if inside:
            for one in inside.split(","):
                found |= brought_by(one)
        else:
            found.add(name.lower())
    return found


@pytest.mark.parametrize("extra", list(_EXTRAS))
def test_an_extra_brings_the_packages_that_it_is_named_for(extra):
    wanted = {DISTRIBUTIONS.get(package, package) for package in _EXTRAS[extra]}
    assert wanted <= brought_by(extra)


def test_all_that_the_models_need_beyond_numpy_is_known():
    known = {DISTRIBUTIONS.get(package, package) for package in _EXTRAS["models"]}
    decoders = {"pylibjpeg", "pylibjpeg-openjpeg", "pylibjpeg-rle", "pyjpegls", "python-gdcm"}
    replaceable = {"isal"}  # where it is missing, OpenCV writes PNG
    assert brought_by("models") - decoders - replaceable == known


@pytest.fixture(scope="module")
def split(tmp_path_factory):
    from tests.helpers.radiographs import write_class_folders

    folder = tmp_path_factory.mktemp("extras")
    names = write_class_folders(folder / "images", count=8)
    rows = [f"images/{name},{name.split('/')[0]},{name.rsplit('-', 1)[0]}" for name in names]
    (folder / "m.csv").write_text("\n".join(["file,label,patient", *rows]) + "\n")
    run_code(MAIN, "split", folder / "m.csv", "--out", folder / "split.csv")
    return folder / "split.csv"


@pytest.mark.parametrize(
    ("package", "words"),
    [
        ("tensorflow", "train {split} --out {tmp}/x --weights none"),
        ("tensorflow", "bench-pipeline {split}"),
        ("tqdm", "index {tmp} --out {tmp}/m.csv"),
        ("scipy", "evaluate {tmp}"),
        ("scikit-learn", "audit {split}"),
        ("threadpoolctl", "audit {split}"),
        ("jinja2", "report {tmp} --out {tmp}/r.html"),
    ],
)
def test_a_missing_package_is_named_with_the_extra(split, tmp_path, package, words):
    given = words.format(split=split, tmp=tmp_path).split()
    without = [{name: module for module, name in _NAMES.items()}.get(package, package)]
    said = run_code(MAIN, *given, without=without, status=1).stderr
    assert said.endswith(INSTALL)
    assert said.startswith(f"Error: {package} is needed for ")
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize(
    ("package", "words", "sentence"),
    [
        ("cv2", "train {split} --out {tmp}/x --weights none",
         f"opencv-python is needed for this command. {INSTALL}"),
        ("keras", "train {split} --out {tmp}/x --weights none",
         f"keras is needed for this command. {INSTALL}"),
        ("tensorboard", "train {split} --out {tmp}/x --weights none",
         f"tensorboard is needed for this command. {INSTALL}"),
        ("matplotlib", "train {split} --out {tmp}/x --weights none",
         f"matplotlib is needed for this command. {INSTALL}"),
        ("h5py", "train {split} --out {tmp}/x --weights none",
         f"h5py is needed for this command. {INSTALL}"),
        ("jax", "train {split} --out {tmp}/x --weights none",
         "jax is needed for this command with KERAS_BACKEND=jax. Install it with: pip install jax"),
    ],
)  # fmt: skip
def test_a_package_missing_beside_tensorflow_is_named(split, tmp_path, package, words, sentence):
    pytest.importorskip("tensorflow", reason="tensorflow is not installed")
    given = words.format(split=split, tmp=tmp_path).split()
    env = {"KERAS_BACKEND": "jax" if package == "jax" else None}
    said = run_code(MAIN, *given, without=[package], env=env, status=1).stderr
    assert said == f"Error: {sentence.strip()}\n"


def test_a_backend_that_there_is_not_is_refused(split, tmp_path):
    words = ["train", split, "--out", tmp_path / "x", "--weights", "none"]
    said = run_code(MAIN, *words, env={"KERAS_BACKEND": "tensorflo"}, status=1).stderr
    assert said == (
        "Error: `KERAS_BACKEND` must be one of tensorflow, jax, torch; got 'tensorflo'.\n"
    )
