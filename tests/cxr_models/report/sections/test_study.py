import pytest

pytest.importorskip("typer", reason="typer is not installed")
pytest.importorskip("jinja2", reason="jinja2 is not installed")

from cxr_enhance import EnhanceParams
from cxr_models.report import html_page, read_results
from tests.helpers.report_pages import Read
from tests.helpers.report_runs import change_records, write_run

TITLE = "The study's table"


def page_of(*paths):
    return Read(html_page([read_results(path, name=path.name) for path in paths]))


def has_table(page):
    return [2, TITLE] in page.headings


def study_run(path, **options):
    """Write a run whose images are of the study's sources."""

    def source(place, record):
        of_covid = ("cxnet", "ieee8023")[place % 2]
        return {"source": of_covid if record.label == "covid" else "kermany"}

    def from_the_study(predictions):
        return (
            predictions if predictions.kind == "external" else change_records(predictions, source)
        )

    return write_run(path, change=from_the_study, **options)


def test_the_table_holds_the_accuracies_and_intervals_of_the_evaluation(tmp_path):
    run = study_run(tmp_path / "one")
    page = page_of(run)
    accuracy = read_results(run, name="one").test.overall.accuracy
    low, high = accuracy.interval
    study = page.table("Accuracy by backbone, task and enhancement")
    shown = study["NASNetMobile"]["three classes, enhanced"]
    assert shown == f"{accuracy.value:.3f} [{low:.3f}, {high:.3f}]"


def test_of_three_runs_of_one_cell_the_lowest_and_the_highest_are_shown(tmp_path):
    paths = [
        study_run(tmp_path / f"run-{seed}", seed=seed, training__seed=seed) for seed in range(3)
    ]
    found = [read_results(path, name=path.name).test.overall.accuracy.value for path in paths]
    study = page_of(*paths).table("Accuracy by backbone, task and enhancement")
    cell = study["NASNetMobile"]["three classes, enhanced"]
    assert cell == f"{min(found):.3f} to {max(found):.3f} (3 runs)"


def test_a_report_of_other_images_has_no_table_of_the_study(tmp_path):
    assert has_table(page_of(study_run(tmp_path / "study")))
    assert not has_table(page_of(write_run(tmp_path / "other")))


@pytest.mark.parametrize(
    "change",
    [
        lambda place, record: {"source": "clinic"} if place == 0 else {},
        lambda place, record: {"source": ""} if place == 0 else {},
        lambda place, record: {"source": "kermany"},  # which has no patient with COVID-19
    ],
    ids=["one image of another source", "one without a source", "a source under another label"],
)
def test_a_run_is_of_the_study_only_if_all_its_images_are(tmp_path, change):
    def spoiled(predictions):
        predictions = change_records(
            predictions,
            lambda _, record: {"source": "cxnet" if record.label == "covid" else "kermany"},
        )
        return change_records(predictions, change) if predictions.kind == "train" else predictions

    assert not has_table(page_of(write_run(tmp_path / "run", change=spoiled)))


def test_runs_of_other_images_stand_in_no_cell(tmp_path):
    runs = [
        study_run(tmp_path / "one", model__backbone="resnet101"),
        write_run(tmp_path / "other", seed=1),
    ]
    cells = page_of(*runs).table("Accuracy by backbone, task and enhancement")
    assert set(cells["NASNetMobile"].values()) == {"\N{EN DASH}"}
    assert cells["ResNet101"]["three classes, enhanced"] != "\N{EN DASH}"


def test_a_table_of_arms_holds_runs_that_differ_in_nothing_else(tmp_path):
    runs = [
        study_run(tmp_path / "one", seed=1),
        study_run(tmp_path / "two", data__enhance=None, seed=2),
        study_run(tmp_path / "longer", data__enhance=None, training__epochs_head=7, seed=3),
    ]
    page = page_of(*runs)
    both = page.table("Accuracy by backbone, task and enhancement: one and two")["NASNetMobile"]
    other = page.table("Accuracy by backbone, task and enhancement: longer")["NASNetMobile"]
    dash = "\N{EN DASH}"
    assert dash not in (both["three classes, raw"], both["three classes, enhanced"])
    assert other["three classes, raw"] != dash
    assert other["three classes, enhanced"] == dash
    differences = page.table("Settings in which the runs differ")
    assert differences["training.epochs_head"]["longer"] == "7"
    assert differences["training.epochs_head"]["one"] == differences["training.epochs_head"]["two"]
    assert "training.epochs_finetune" not in differences


def test_raw_runs_stand_beside_runs_enhanced_before_or_after_resizing(tmp_path):
    first = {"data__order": "enhance-first"}
    bold = {**first, "data__enhance": EnhanceParams(clip_limit=6)}
    runs = [
        study_run(tmp_path / "raw", data__enhance=None, seed=1),
        *(study_run(tmp_path / f"first-{n}", **first, seed=n, training__seed=n) for n in range(3)),
        *(study_run(tmp_path / f"bold-{n}", **bold, seed=n, training__seed=n) for n in range(2)),
        study_run(tmp_path / "last", seed=2),
    ]
    study = page_of(*runs).table("Accuracy by backbone, task and enhancement")["NASNetMobile"]
    found = {path.name: read_results(path, name=path.name).test.overall.accuracy for path in runs}
    assert study["three classes, raw"].startswith(f"{found['raw'].value:.3f} [")
    cell = study["three classes, enhanced"]
    values = [found[f"first-{n}"].value for n in range(3)]
    names = "first-0, first-1 and first-2"
    assert f"{min(values):.3f} to {max(values):.3f} ({names})" in cell
    for name in ("bold-0", "bold-1", "last"):
        low, high = found[name].interval
        assert f"{found[name].value:.3f} [{low:.3f}, {high:.3f}] ({name})" in cell


def test_the_study_table_is_filled_with_what_there_is(tmp_path):
    runs = [
        study_run(tmp_path / "one", model__backbone="resnet101"),
        study_run(tmp_path / "two", data__enhance=None, seed=1),
        study_run(tmp_path / "three", model__task="binary", seed=2),
    ]
    page = page_of(*runs)
    study = page.table("Accuracy by backbone, task and enhancement")
    filled = {
        (row, column) for row, cells in study.items() for column, cell in cells.items()
        if cell != "\N{EN DASH}"
    }  # fmt: skip
    assert filled == {
        ("ResNet101", "three classes, enhanced"),
        ("NASNetMobile", "three classes, raw"),
        ("NASNetMobile", "covid or not, enhanced"),
    }
    assert set(page.table("Each class against the rest", 6)) == {"not covid", "covid"}
