"""Every command on the pages runs, in an order that a reader may follow: that of its page.

Each page gets a folder of its own with the files that its commands name, of small images. A command
whose output is there already writes it anew. Networks are of one convolution and see few epochs.
"""

from __future__ import annotations

import csv
import importlib.util
import os
import re
import shutil

import numpy as np
import pytest

pytest.importorskip("cv2")
pytest.importorskip("typer", reason="typer is not installed")
pydicom = pytest.importorskip("pydicom")

import cxr_enhance as cxe  # noqa: E402
import cxr_enhance.cli  # noqa: E402
import cxr_models.cli  # noqa: E402
from tests.cxr_models.records.trees.planted import (  # noqa: E402
    chexpert_planted,
    mimic_planted,
    nih_planted,
)
from tests.helpers.dicom_files import data_set, saved  # noqa: E402
from tests.helpers.fresh_process import ROOT  # noqa: E402
from tests.helpers.pages import PAGES, Command, commands_of  # noqa: E402

pytestmark = [
    pytest.mark.opencv,
    pytest.mark.filterwarnings(
        "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
    ),
]

# What a command begins with, and why it is not run here.
NOT_RUN = {
    r"'\$\(command'": "installs system packages; `.ci/run` runs the README's two lines whole",
    r"pip install|python3 -m venv|\. \.venv/bin/activate": "installs packages; `.ci/run` does so",
    r"jupyter lab": "serves a page until it is ended; `tests/test_notebooks.py` runs the notebooks",
    r"mkdir my-notebooks|cp docs/notebooks/": "make a copy of a notebook",
    r"python -m pytest": "the tests themselves, or the benchmarks; `.ci/run` runs both",
    r"python -c": "prints the GPUs or a time of this machine",
    r"'?\(umask|openssl": "makes a secret; the tests write a key of their own",
    r"dask |cxr-enhance run .*--scheduler tcp:": "needs other machines; "
    "tests/cxr_enhance/archive/engines/test_cluster.py runs it on one",
    r"cxr-enhance run /data/": "names folders of a cluster; "
    "tests/cxr_enhance/archive/test_plan.py has its shards",
    r"run\.sh": "takes hours and the public sets; tests/benchmarks/test_study.py",
    r"cxr-enhance tune": "serves a page until it is closed; tests/cxr_enhance/tuner/test_page.py",
    r"cxr-models demo": "takes minutes; tests/cxr_models/cli/test_demo.py",
    r"cxr-models bench-pipeline": "measures for minutes; "
    "tests/cxr_models/inputs/test_throughput.py",
}
# What commands need that the tests' own environment may lack.
NEEDS = {
    r"cxr-models (train|evaluate|predict|export) |--explain|audit .*--run": "tensorflow",
    r"--format webdataset": "webdataset",
    r"--format onnx": "tf2onnx",
    r"cxr-models audit": "sklearn",
}
# Commands about several findings, which are run in a folder whose manifest has findings.
OF_FINDINGS = ("--findings", "--stratify-findings")
FINDINGS = ("Effusion", "Mass", "Pneumonia")
PUBLIC_SETS = "docs/tutorials/several-findings.md"  # its commands read trees of such sets
FEW = {"--epochs-head": "1", "--epochs-fine-tune": "1", "--batch-size": "8"}
PAGES_WITH_COMMANDS = [
    page for page, text in PAGES.items() if any(command.is_ours for command in commands_of(text))
]


def why_not_run(command):
    """Give the reason why a command is not run here, or None."""
    reasons = [reason for start, reason in NOT_RUN.items() if re.match(start, str(command))]
    return reasons[0] if reasons else None


def run(command):
    """Run one of our commands in this process; fail unless it ends well."""
    words = list(command.words)
    if "--out" in words:
        out = words[words.index("--out") + 1]
        if os.path.isdir(out):
            shutil.rmtree(out)
        elif os.path.exists(out):
            os.remove(out)
    if words[0] == "train":
        is_one_phase = "none" in words  # its second phase has no epochs
        few = [
            (name, value)
            for name, value in FEW.items()
            if name not in words and not (is_one_phase and name == "--epochs-fine-tune")
        ]
        words += [word for pair in few for word in pair]
        if "--image-size" not in words:
            words += ["--image-size", "48", "48"]
    main = {"cxr-enhance": cxr_enhance.cli.main, "cxr-models": cxr_models.cli.main}
    status = main[command.program](words)
    allowed = {0, 1} if "--fail-on" in words else {0}  # 1: something was found
    assert status in allowed, f"{command} ended with status {status}"


def write_scans(folder, seed, count=14):
    """Write images of three labels that no search for copies takes for one another."""
    rng = np.random.default_rng(seed)
    for label in ("covid", "normal", "virus"):
        (folder / label).mkdir(parents=True)
        for number in range(count):
            coarse = rng.integers(0, 256, (9, 8), np.uint8)
            cxe.write_image(
                folder / label / f"{number}.png", np.kron(coarse, np.ones((7, 7), "u1"))
            )


def write_files(folder, seed):
    """Write a folder of DICOM and PNG files below another."""
    rng = np.random.default_rng(seed)
    (folder / "one").mkdir(parents=True)
    for number in range(3):
        pixels = np.kron(rng.integers(0, 4096, (9, 8), np.uint16), np.ones((7, 7), np.uint16))
        content = saved(data_set(pixels, bits=12, BodyPartExamined="CHEST"))
        (folder / "one" / f"{number}.dcm").write_bytes(content)
    cxe.write_image(folder / "two.png", (pixels >> 4).astype(np.uint8))


def write_inputs(folder):
    """Write what the commands of the pages read, but for what other commands write."""
    for place, name in enumerate(("scans", "clinic", "SOURCE", "DOWNLOAD")):
        write_scans(folder / name, seed=place)
    for place, name in enumerate(("files", "tree", "dicom-tree")):
        write_files(folder / name, seed=place)
    first = folder / "files" / "one" / "0.dcm"
    for name in ("b.dcm", "more.dcm"):
        shutil.copy(first, folder / name)
    image = cxe.read_image(folder / "files" / "two.png")
    for name in ("more.jpg", "one.jpg", "chest.png", "a.png"):
        cxe.write_image(folder / name, image)
    for place, name in enumerate(("params", "mine", "theirs")):
        (folder / f"{name}.json").write_text(cxe.EnhanceParams(clip_limit=place + 2).to_json())
    (folder / "list.csv").write_text("path\nfiles/two.png\nfiles/one/1.dcm\n")
    (folder / "pseudonym.key").write_text("0123456789abcdef" * 4 + "\n")
    (folder / "pseudonym.key").chmod(0o600)
    for place, name in enumerate(("mine.csv", "theirs.csv")):
        (folder / name).write_text(predicted_table(seed=place))
    (folder.parent / "private").mkdir()
    write_findings(folder / "findings")


def predicted_table(seed):
    """Return a table of what a model predicted, whose images are those of every seed."""
    rng = np.random.default_rng(seed)
    lines = ["file,label,patient,part,prob:covid,prob:normal,prob:virus"]
    for number in range(60):
        label = number % 3
        shares = rng.dirichlet(np.eye(3)[label] * 2 + 1)
        part = "val" if number < 30 else "test"
        cells = [f"{number}.png", ("covid", "normal", "virus")[label], f"p{number // 2}", part]
        lines.append(",".join([*cells, *(f"{share:.6f}" for share in shares)]))
    return "\n".join(lines) + "\n"


def write_findings(folder):
    """Write a manifest of images with three findings, each shown by some patients."""
    write_scans(folder / "scans", seed=9)
    lines = ["file,label,patient," + ",".join(f"finding:{name}" for name in FINDINGS)]
    for number, path in enumerate(sorted(folder.glob("scans/*/*.png"))):
        shown = ",".join(str(number >> place & 1) for place in range(len(FINDINGS)))
        lines.append(f"{path.relative_to(folder).as_posix()},image,p{number},{shown}")
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n")


def write_public_sets(folder):
    """Write trees of public sets, of drawn images with planted findings."""
    nih_planted(folder / "nih")
    mimic_planted(folder / "mimic-cxr-jpg")
    chexpert_planted(folder / "chexpert")


def with_columns(manifest):
    """Add the columns to a manifest by which pages make subgroups, and patients of two images."""
    comments, rows = [], []
    for line in manifest.read_text().splitlines():
        (comments if line.startswith("#") else rows).append(line)
    rows = list(csv.DictReader(rows))
    for number, row in enumerate(rows):
        row |= {"patient": f"p{number // 2}", "study": f"s{number // 2}", "source": "here"}
        row |= {"sex": "MF"[number % 2], "age": str(20 + number), "view": "PA", "dose": str(number)}
        row |= {"manufacturer": "A", "scanner": f"room {number % 2}"}
    with manifest.open("w", newline="") as file:
        file.writelines(f"{line}\n" for line in comments)
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inputs") / "here"
    folder.mkdir()
    write_inputs(folder)
    return folder


@pytest.fixture
def small_networks(monkeypatch):
    """Put a backbone of one convolution in the place of every network that a page names."""
    keras = pytest.importorskip("keras")
    from tests.helpers.tiny_backbone import tiny_application

    for name in ("NASNetMobile", "ResNet101"):
        monkeypatch.setattr(keras.applications, name, tiny_application)


@pytest.fixture(scope="module")
def studied(inputs):
    """Write manifests, a split and evaluated runs beside the other inputs."""
    keras = pytest.importorskip("keras")
    from tests.helpers.tiny_backbone import tiny_application

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(inputs)
        patch.setattr(keras.applications, "NASNetMobile", tiny_application)
        for name, out in (("scans", "manifest"), ("clinic", "clinic"), ("clinic", "other")):
            run(Command("cxr-models", ("index", name, "--out", f"{out}.csv")))
        with_columns(inputs / "manifest.csv")
        for words in (
            "split manifest.csv --out split.csv --seed 1",
            "train split.csv --weights none --out runs/first",
            "evaluate runs/first",
            "train split.csv --weights none --no-enhance --out runs/second",
            "evaluate runs/second",
            "train split.csv --weights none --task binary --out runs/covid",
        ):
            run(Command("cxr-models", tuple(words.split())))
    return inputs


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES_WITH_COMMANDS)
def test_the_commands_of_a_page_run_one_after_the_other(page, request, tmp_path, monkeypatch):
    commands = [
        command
        for command in commands_of(PAGES[page])
        if command.is_ours and why_not_run(command) is None
    ]
    told = "\n".join(map(str, commands))
    needs = {package for start, package in NEEDS.items() if re.search(start, told)}
    missing = sorted(package for package in needs if importlib.util.find_spec(package) is None)
    if missing:
        pytest.skip(f"needs {', '.join(missing)}")
    if "tensorflow" in needs:
        request.getfixturevalue("small_networks")
    made = request.getfixturevalue("studied" if "tensorflow" in needs else "inputs")
    shutil.copytree(made.parent, tmp_path / "page")
    here = tmp_path / "page" / "here"
    of_findings = here / "findings"
    if page == PUBLIC_SETS:
        write_public_sets(of_findings := here)
    for command in commands:
        monkeypatch.chdir(of_findings if set(OF_FINDINGS) & set(command.words) else here)
        run(command)


def test_every_other_command_is_left_out_for_a_reason():
    unknown = [
        f"{page}: {command}"
        for page, text in PAGES.items()
        for command in commands_of(text)
        if not command.is_ours and why_not_run(command) is None
    ]
    assert unknown == []
    said = "\n".join(str(command) for text in PAGES.values() for command in commands_of(text))
    unused = [start for start in NOT_RUN if not re.search(f"^(?:{start})", said, re.MULTILINE)]
    assert unused == []


def test_tests_that_the_reasons_name_exist():
    named = {path for reason in NOT_RUN.values() for path in re.findall(r"[\w/]+\.py", reason)}
    assert len(named) >= 6
    assert [path for path in sorted(named) if not (ROOT / path).is_file()] == []


def test_a_command_that_is_neither_run_nor_left_out_for_a_reason_is_found():
    page = "```sh\ncxr-enhance run scans/ --out x\nwget address\n```\n"
    run_here, unknown = commands_of(page)
    assert run_here.is_ours
    assert why_not_run(run_here) is None
    assert not unknown.is_ours
    assert why_not_run(unknown) is None


def test_most_commands_of_ours_are_run():
    ours = [c for text in PAGES.values() for c in commands_of(text) if c.is_ours]
    run_here = [command for command in ours if why_not_run(command) is None]
    assert len(run_here) >= 60
    assert len(run_here) >= 0.8 * len(ours)
