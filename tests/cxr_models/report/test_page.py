import csv
import dataclasses
import itertools
import json
import re

import numpy as np
import pytest

pytest.importorskip("typer", reason="typer is not installed")
pytest.importorskip("jinja2", reason="jinja2 is not installed")
pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from sklearn import metrics

from cxr_models.cli import main
from cxr_models.report import html_page, markdown_page, read_results
from cxr_models.report.blocks import ticks
from cxr_models.report.render import html
from cxr_models.runs.folder import RunFolder
from tests.helpers.report_pages import Read
from tests.helpers.report_runs import change_records, write_audit, write_images, write_run

CLASSES = ["covid", "normal", "virus"]
SCRIPT = "<script>alert(1)</script>.png"


@pytest.fixture
def run(tmp_path):
    return write_run(tmp_path / "first", root=tmp_path / "images")


def page_of(*paths, **options):
    return Read(html_page([read_results(path, name=path.name) for path in paths], **options))


def table_of(run, name):
    lines = (run / f"evaluation/{name}.csv").read_text().splitlines()
    rows = list(csv.DictReader(lines[1:]))
    shares = np.array([[float(row[f"probability:{name}"]) for name in CLASSES] for row in rows])
    return [row["label"] for row in rows], shares


def at_temperature(run, shares):
    told = json.loads((run / "evaluation/evaluation.json").read_text())
    scaled = np.exp(np.log(shares) / told["calibration"]["temperature"])
    return scaled / scaled.sum(axis=1, keepdims=True)


def first(cell):
    return cell.split(" ")[0]


def test_the_numbers_shown_are_those_of_the_saved_predictions(run):
    page = page_of(run)
    overall = page.table("Overall values of every set")
    for place, (shown, file) in enumerate(
        (("val", "val"), ("test", "test"), ("clinic", "external-clinic"))
    ):
        true, shares = table_of(run, file)
        said = [CLASSES[k] for k in shares.argmax(axis=1)]
        scaled = at_temperature(run, shares)
        expected = {
            "accuracy": metrics.accuracy_score(true, said),
            "balanced accuracy": metrics.balanced_accuracy_score(true, said),
            "macro F1": metrics.f1_score(true, said, average="macro"),
            "macro ROC-AUC": metrics.roc_auc_score(true, scaled, multi_class="ovr"),
            "log loss": metrics.log_loss(true, shares, labels=CLASSES),
        }
        for title, number in expected.items():
            assert first(overall[title][shown]) == f"{number:.3f}"
        classes = page.table("Each class against the rest", place)
        confusion = metrics.confusion_matrix(true, said, labels=CLASSES)
        cells = page.table("Confusion: images (share of the true class)", place)
        for k, name in enumerate(CLASSES):
            is_k, said_k = np.array(true) == name, np.array(said) == name
            expected = {
                "images": is_k.sum(),
                "precision": metrics.precision_score(is_k, said_k),
                "recall": metrics.recall_score(is_k, said_k),
                "F1": metrics.f1_score(is_k, said_k),
                "specificity": metrics.recall_score(~is_k, ~said_k),
                "ROC-AUC": metrics.roc_auc_score(is_k, scaled[:, k]),
                "PR-AUC": metrics.average_precision_score(is_k, scaled[:, k]),
            }
            assert classes[name]["images"] == str(expected.pop("images"))
            for title, number in expected.items():
                assert first(classes[name][title]) == f"{number:.3f}", (shown, name, title)
            divided = confusion[k] / confusion[k].sum()
            for other, count, share in zip(CLASSES, confusion[k], divided, strict=True):
                assert cells[name][other] == f"{count} ({share:.3f})"


def test_values_stand_with_their_intervals(run):
    told = json.loads((run / "evaluation/evaluation.json").read_text())
    accuracy = told["sets"]["test"]["overall"]["accuracy"]
    low, high = accuracy["interval"]
    shown = f"{accuracy['value']:.3f} [{low:.3f}, {high:.3f}]"
    page = page_of(run)
    assert page.table("Overall values of every set")["accuracy"]["test"] == shown
    assert f"first gets {shown} of its test set right" in page.text


def test_reliability_and_worst_mistakes_are_after_temperature_scaling(run):
    true, shares = table_of(run, "test")
    scaled = at_temperature(run, shares)
    wrong = [i for i in range(len(true)) if CLASSES[shares[i].argmax()] != true[i]]
    surest = sorted(wrong, key=lambda i: -scaled[i].max())[:8]
    page = page_of(run, images=False)
    rows = page.tables[f"The most confident of {len(wrong)} mistakes on test"][0][1:]
    assert [row[0] for row in rows] == [f"test/{i}.png" for i in surest]
    assert [row[3] for row in rows] == [f"{scaled[i].max():.3f}" for i in surest]
    assert [row[1] for row in rows] == [true[i] for i in surest]


def test_curves_end_where_the_saved_ones_do(run):
    told = json.loads((run / "evaluation/evaluation.json").read_text())
    curve = told["sets"]["test"]["curves"]["covid"]["roc"]
    lines = [a["points"] for tag, a in page_of(run).tags if tag == "polyline" and "points" in a]
    width, height = 400 - 52 - 12, 300 - 10 - 44
    expected = " ".join(
        f"{round(52 + x * width, 1):g},{round(300 - 44 - y * height, 1):g}"
        for x, y in zip(curve["false_positive_rate"], curve["sensitivity"], strict=True)
    )
    assert expected in lines


def test_the_audit_stands_beside_the_accuracy(run, tmp_path, capsys):
    page = page_of(run)
    assert "It was not audited: how much of this accuracy can be read from" in page.text
    audit, out = write_audit(tmp_path / "audit.json"), tmp_path / "out.html"
    assert main(["report", str(run), "--out", str(out), "--audit", str(audit)]) == 0
    page = Read(out.read_text())
    sentence = "A model that sees only the border reaches 0.70: these labels are readable."
    assert f"of its test set right (90 images of 45 patients). {sentence}" in page.text
    told = page.table("Accuracy of models that see no lungs, or hardly, on the same test images")
    assert told["gray histogram of 16 bins"]["accuracy"] == "0.700 [0.600, 0.800]"
    assert "the source itself, from the thumbnail: not evaluated, train does not state" in page.text
    side = page.table(
        "Each run beside other sources and beside models that see no lungs, or hardly"
    )
    assert side["first"]["border alone"] == "0.700 [0.600, 0.800]"
    write_audit(run / "evaluation/audit.json", verdict="kept with the run")
    assert "Kept with the run." in page_of(run).text
    capsys.readouterr()


def test_another_source_is_judged_in_plain_words(tmp_path):
    def harder(predictions):
        if predictions.kind != "external":
            return predictions
        labels = np.roll([record.label for record in predictions.manifest.records], 2)
        return change_records(predictions, lambda place, _: {"label": str(labels[place])})

    good, bad = write_run(tmp_path / "good"), write_run(tmp_path / "bad", change=harder)
    none = write_run(tmp_path / "none", externals=())
    page = page_of(good, bad, none)
    assert re.search(
        r"On the set clinic, another source, run good gets 0\.\d{3} .* no clear loss", page.text
    )
    assert re.search(
        r"bad gets 0\.\d{3} .* no better than always predicting the commonest", page.text
    )
    assert "none was not tested on images of another source" in page.text


def test_the_data_card_counts_images_and_patients(run):
    card = page_of(run).table("Images (patients) by label and source in each part")
    assert card["covid, here"] == dict.fromkeys(("train", "val", "test", "clinic"), "16 (8)")
    assert card["all"] == dict.fromkeys(("train", "val", "test", "clinic"), "90 (45)")
    page = page_of(run)
    assert page.table("Split")["hash of the split (SHA-256)"]["value"] == "5" * 64
    assert page.table("Settings")["data.image_size"]["value"] == "224 224"


def test_a_run_of_a_further_backbone_stands_under_its_name(tmp_path):
    page = page_of(write_run(tmp_path / "dense", model__backbone="densenet121"))
    assert "DenseNet121, covid or normal or virus, images enhanced" in page.text


def test_the_phase_that_the_weights_come_from_is_told(run):
    shown = "weights of the run are of"
    assert page_of(run).table("Weights and versions")[shown]["value"] == (
        "the last phase's best epoch"
    )
    folder = RunFolder(path=run)
    folder.write_kept(folder.read_history()[1])
    assert page_of(run).table("Weights and versions")[shown]["value"] == (
        "epoch 2 of phase head, validation accuracy 0.550"
    )


def test_labels_that_have_sources_of_their_own_are_named(tmp_path):
    def parted(predictions):
        return change_records(
            predictions, lambda _, r: {"source": "web" if r.label == "covid" else "ward"}
        )

    text = page_of(write_run(tmp_path / "run", change=parted)).text
    assert (
        "every image of covid whose source is stated comes from web, and no image of another label"
        in text
    )
    assert "every image of normal" not in text


def test_names_with_markup_stay_text(tmp_path):
    def hostile(predictions):
        names = ("<i>covid</i>", *CLASSES[1:])
        return dataclasses.replace(
            predictions,
            class_names=names,
            labels=names,
            manifest=dataclasses.replace(
                predictions.manifest,
                records=tuple(
                    dataclasses.replace(
                        record,
                        label=names[CLASSES.index(record.label)],
                        source="<b>here</b>|`x`",
                        view="</td><i>",
                    )
                    for record in predictions.manifest.records
                ),
            ),
        )

    path = write_run(tmp_path / "<img src=x onerror=alert(1)>", change=hostile)
    page = page_of(path)
    assert not {tag for tag, _ in page.tags} & {"script", "b", "i", "img"}
    assert not [a for _, a in page.tags if any(name.startswith("on") for name in a)]
    assert "Run <img src=x onerror=alert(1)>" in [text for _, text in page.headings]
    assert "<b>here</b>|`x`" in page.table("By source", 0)
    assert "</td><i>" in page.table("By view", 0)
    assert "<i>covid</i>" in page.table("Each class against the rest", 0)
    text = markdown_page([read_results(path, name=path.name)])
    assert "<" not in text
    assert r"&lt;b&gt;here&lt;/b&gt;\|\`x\`" in text
    widths = {  # cells of each row: a bar in a name ends none
        len(re.findall(r"(?<!\\)\|", line))
        for line in text.splitlines()
        if line.startswith("|") and "here" in line
    }
    assert widths == {6, 9}, widths


def test_a_file_named_as_a_script_is_shown_as_such(tmp_path):
    path = write_run(
        tmp_path / "run", change=lambda one: change_records(one, lambda *_: {"file": SCRIPT})
    )
    page = page_of(path)
    assert SCRIPT in page.text
    assert "script" not in {tag for tag, _ in page.tags}
    text = markdown_page([read_results(path, name="run")])
    assert "&lt;script&gt;alert(1)&lt;/script&gt;.png" in text


def test_markdown_holds_the_tables_of_the_page(run):
    page = page_of(run, images=False)
    text = markdown_page([read_results(run, name="first")])
    found = []
    for line in text.splitlines():
        if line.startswith("| "):
            cells = re.split(r"(?<!\\)\|", line)[1:-1]
            found.append([re.sub(r"\\(.)", r"\1", cell.strip()) for cell in cells])
    # The two read in the same order: tables of a name in the order they stand in.
    shown = [row for tables in page.tables.values() for rows in tables for row in rows]
    assert sorted(found) == sorted(shown)
    assert [line.count("#") for line in text.splitlines() if line.startswith("#")] == [
        level for level, _ in page.headings
    ]
    assert "<svg" not in text
    assert "![" not in text


@pytest.mark.parametrize(
    "source", ["- a", "+ a", "1. a", "12) a", "===", "---", "http://a.example/x", "me@a.example"]
)
def test_names_that_markdown_would_take_for_something_else_stay_text(tmp_path, source):
    def named(predictions):  # a patient alone has no interval, of which a line tells
        return change_records(predictions, lambda i, _: {"source": source if i < 2 else "other"})

    path = write_run(tmp_path / "run", change=named)
    text = markdown_page([read_results(path, name="run")])
    lines = [line for line in text.splitlines() if re.sub(r"\\(.)", r"\1", line).startswith(source)]
    assert lines
    assert not [line for line in lines if line.startswith(source)]
    assert re.search(r"(?<!\\)://", text) is None
    assert re.search(r"(?<!\\)@", text) is None


def test_where_images_lie_is_not_told(tmp_path):
    def elsewhere(predictions):
        start = {"test": "/home/me/", "external": "../../me/"}.get(predictions.kind, "")
        return change_records(predictions, lambda _, record: {"file": f"{start}{record.file}"})

    text = page_of(write_run(tmp_path / "run", change=elsewhere)).text
    assert re.search(r"test/\d+\.png", text)
    assert not re.search(r"\.\./|/me/", text)


def test_a_set_of_one_class_alone_says_so(tmp_path):
    def one_class(predictions):
        if predictions.kind != "external":
            return predictions
        rows = [i for i, r in enumerate(predictions.manifest.records) if r.label == "covid"]
        manifest = predictions.manifest
        records = tuple(manifest.records[i] for i in rows)
        return dataclasses.replace(
            predictions,
            manifest=dataclasses.replace(manifest, records=records),
            logits=predictions.logits[rows],
            probabilities=predictions.probabilities[rows],
        )

    paths = [write_run(tmp_path / name, change=one_class) for name in ("one", "two")]
    text = page_of(*paths).text
    assert "of 30 images right: of one class alone, which cannot show whether" in text
    assert "ROC-AUC" in text
    assert "covid, 1 row: no image of another class." in text


def test_images_are_shown_small_where_they_can_be_read(run, tmp_path):
    page = page_of(run)
    assert "The images could not be read from here." in page.text
    write_images(tmp_path / "images")
    page = page_of(run)
    images = [attributes for tag, attributes in page.tags if tag == "img"]
    assert len(images) == 24
    assert all(image["src"].startswith("data:image/jpeg;base64,") for image in images)
    assert all(image["alt"].startswith("Radiograph ") for image in images)
    assert "These images have no Grad-CAM overlays (cxr-models report --explain)." in page.text
    assert not [1 for tag, _ in page_of(run, images=False).tags if tag == "img"]


def test_a_page_too_large_shows_fewer_images(run, tmp_path, monkeypatch):
    write_images(tmp_path / "images")
    results = [read_results(run, name="first")]
    whole = len(html_page(results).encode())
    bare = len(html_page(results, images=False).encode())
    monkeypatch.setattr(html, "MOST_BYTES", (whole + bare) // 2)
    page = html_page(results)
    assert len(page.encode()) < (whole + bare) // 2
    shown = [attributes for tag, attributes in Read(page).tags if tag == "img"]
    assert 0 < len(shown) < 24
    assert f"The page shows {len(shown)} radiographs, fewer than usual" in Read(page).text
    monkeypatch.setattr(html, "MOST_BYTES", bare // 2)
    with pytest.raises(ValueError, match=r"`RUN` must be so few runs that the page has less than"):
        html_page(results)


def test_headings_tables_and_pictures_can_be_read_without_eyes(run):
    page = page_of(run)
    levels = [level for level, _ in page.headings]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    tags = page.tags
    ids = [attributes["id"] for _, attributes in tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for tag, attributes in tags:
        assert set(attributes.get("aria-labelledby", "").split()) <= set(ids)
        if tag == "th":
            assert attributes["scope"] in ("row", "col")
        if tag == "a":
            assert attributes["href"][1:] in ids
        if tag == "svg" and attributes.get("class") != "key":
            assert attributes["role"] == "img"
    assert dict(tags)["html"]["lang"] == "en"


def test_the_page_forbids_itself_to_load_anything(run):
    page = page_of(run)
    policy = next(a["content"] for _, a in page.tags if a.get("http-equiv"))
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:;")
    links = [a.get("src") or a.get("href") for _, a in page.tags if "src" in a or "href" in a]
    assert all(link.startswith(("data:", "#")) for link in links)


def test_equal_results_give_equal_pages(run):
    results = [read_results(run, name="first")]
    assert html_page(results) == html_page([read_results(run, name="first")])
    assert markdown_page(results) == markdown_page(results)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (1, 3, [1, 1.5, 2, 2.5, 3]),
        (0, 0.07, [0, 0.02, 0.04, 0.06]),
        (1, 80, [20, 40, 60, 80]),
        (2, 2, [2]),
    ],
)
def test_ticks_are_round_numbers(low, high, expected):
    assert ticks(low, high) == pytest.approx(expected)
