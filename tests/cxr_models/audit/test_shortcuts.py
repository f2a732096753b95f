import dataclasses
import json

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")
pytest.importorskip("typer", reason="typer is not installed")
pytest.importorskip("cv2", reason="cv2 is not installed")

import cv2

from cxr_enhance import write_image
from cxr_models.audit.results import Reached, Shortcuts
from cxr_models.audit.shortcut_features import Features, read_features
from cxr_models.audit.shortcuts import accuracies, audit, verdict
from cxr_models.cli import main
from cxr_models.evaluation.evaluate import Method
from cxr_models.inference.predict_blanked import blank
from cxr_models.records.manifest import Record
from cxr_models.records.splits import write_split
from tests.helpers.fresh_process import run_code

METHOD = Method(draws=100)
CLASSES = ("covid", "normal")


def split_of(rng, count=120, *, sources=True):
    """Give records of two classes, two images a patient, half of them from each of two sources."""
    records = []
    for i in range(count):
        split = ("train", "train", "val", "test")[i // 2 % 4]
        label = CLASSES[i // 8 % 2]
        source = f"clinic of {label}" if sources else ""
        records.append(
            Record(file=f"{i}.png", label=label, patient=str(i // 2), source=source, split=split)
        )
    return records


def noise(rng, count):
    return Features(
        thumbnails=rng.uniform(0, 255, (count, 32, 32)).astype(np.float32),
        histograms=rng.dirichlet(np.ones(16), count).astype(np.float32),
        sizes=rng.normal(size=(count, 3)).astype(np.float32),
    )


def audit_of(records, features):
    return audit(records, [record.label for record in records], features, METHOD)


def test_noise_is_no_shortcut_and_a_written_border_is(rng):
    records = split_of(rng)
    features = noise(rng, len(records))
    told = audit_of(records, features)
    for name in ("border", "thumbnail", "histogram", "size"):
        reached = getattr(told, name)
        low, high = reached.interval
        assert low <= reached.accuracy <= high
        assert 0.2 < reached.accuracy < 0.8, name
    thumbnails = features.thumbnails.copy()
    thumbnails[[record.label == "covid" for record in records], :4] = 255.0
    told = audit_of(records, dataclasses.replace(features, thumbnails=thumbnails))
    assert told.border.accuracy >= 0.95
    assert told.source.accuracy >= 0.95
    assert told.label_from_source.accuracy == 1.0
    assert told.majority.accuracy == pytest.approx(0.5, abs=0.1)
    assert "only the border reaches" in verdict(told)
    assert "largely readable from the source" in verdict(told)


def test_the_centre_is_not_in_the_border(rng):
    features = noise(rng, 3)
    changed = features.thumbnails.copy()
    changed[:, 4:-4, 4:-4] = 0.0
    changed = dataclasses.replace(features, thumbnails=changed)
    border = features.views()["border"]
    np.testing.assert_array_equal(border, changed.views()["border"])
    rows = features.thumbnails
    sides = np.concatenate([rows[:, 4:-4, :4], rows[:, 4:-4, -4:]], axis=2)
    parts = [part.reshape(3, -1) for part in (rows[:, :4], sides, rows[:, -4:])]
    np.testing.assert_array_equal(border, np.concatenate(parts, axis=1))


@pytest.mark.slow
def test_the_same_seed_gives_the_same_audit(rng):
    records = split_of(rng)
    features = noise(rng, len(records))
    assert audit_of(records, features) == audit_of(records, features)


def test_unstated_sources_are_not_judged_with_the_reason(rng):
    records = split_of(rng, sources=False)
    told = audit_of(records, noise(rng, len(records)))
    for reached in (told.source, told.label_from_source):
        assert reached.accuracy is None
        assert reached.reason == "train does not state two sources"


def test_a_label_that_train_lacks_counts_as_wrong(rng):
    records = split_of(rng)
    records = [
        dataclasses.replace(r, label="virus") if r.split == "test" and r.label == "covid" else r
        for r in records
    ]
    told = audit_of(records, noise(rng, len(records)))
    share = np.mean([r.label == "virus" for r in records if r.split == "test"])
    assert told.thumbnail.accuracy <= 1 - share


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"val": "test"}, "`split` must have records in val; got none"),
        ({"test": "val"}, "`split` must have records in test; got none"),
    ],
)
def test_a_part_without_records_is_refused(rng, change, sentence):
    records = [dataclasses.replace(r, split=change.get(r.split, r.split)) for r in split_of(rng)]
    with pytest.raises(ValueError, match=sentence):
        audit_of(records, noise(rng, len(records)))


def test_one_label_in_train_is_refused(rng):
    records = [dataclasses.replace(r, label="covid") for r in split_of(rng)]
    with pytest.raises(ValueError, match="must have at least two labels in train; got covid alone"):
        audit_of(records, noise(rng, len(records)))


def test_features_are_those_of_opencv_in_the_order_of_the_files(rng, tmp_path):
    image = rng.integers(0, 256, (90, 70), np.uint8)
    write_image(tmp_path / "gray.png", image)
    write_image(tmp_path / "colour.png", np.repeat(image[..., None], 3, axis=2))
    write_image(tmp_path / "deep.png", image.astype(np.uint16) * 257)
    features = read_features([str(tmp_path / f"{n}.png") for n in ("gray", "colour", "deep")])
    expected = cv2.resize(image.astype(np.float32), (32, 32), interpolation=cv2.INTER_AREA)
    shares = cv2.calcHist([image], [0], None, [16], [0, 256]).ravel() / image.size
    for i in range(3):
        np.testing.assert_array_equal(features.thumbnails[i], expected)
        np.testing.assert_allclose(features.histograms[i], shares, rtol=1e-6)
        np.testing.assert_allclose(features.sizes[i], np.log([90, 70, 70 / 90]), rtol=1e-6)


def test_a_file_that_is_none_is_named(tmp_path):
    (tmp_path / "x.png").write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"x\.png"):
        read_features([str(tmp_path / "x.png")])
    with pytest.raises(FileNotFoundError):
        read_features([str(tmp_path / "y.png")])


@pytest.mark.parametrize("shape", [(64, 48), (33, 50, 3), (3, 3)])
def test_centre_and_border_blanked_share_no_pixel_and_leave_none_out(rng, shape):
    image = rng.integers(0, 200, shape, np.uint8)
    image.flat[0] = 255
    image.setflags(write=False)
    mean = np.rint(image.mean(axis=(0, 1)))
    centre, border = blank(image, "centre"), blank(image, "border")
    kept = [
        np.any(one != mean, axis=-1) if one.ndim == 3 else one != mean for one in (centre, border)
    ]
    assert not (kept[0] & kept[1]).any()
    np.testing.assert_array_equal(np.where(centre == mean, border, centre), image)
    rows, columns = (max(round(side / 8), 1) for side in shape[:2])
    np.testing.assert_array_equal(centre[:rows], image[:rows])
    np.testing.assert_array_equal(centre[:, -columns:], image[:, -columns:])
    inner = (slice(rows, -rows), slice(columns, -columns))
    np.testing.assert_array_equal(border[inner], image[inner])
    assert blank(image, None) is image


def reached(accuracy, interval=None):
    return Reached(
        accuracy=accuracy, interval=interval, balanced_accuracy=None, balanced_interval=None
    )


def audit_with(border, low, run=None, *, histogram=0.3):
    shortcuts = Shortcuts(
        border=reached(border, None if low is None else (low, 1.0)),
        histogram=reached(histogram, (0.0, 1.0)),
        size=reached(0.3),
        majority=reached(0.4),
        thumbnail=reached(0.9),
        source=reached(0.9),
        label_from_source=reached(0.9),
    )
    return shortcuts, None if run is None else reached(run)


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        (audit_with(0.87, 0.8, 0.95), "a model that sees only the border reaches 0.87 of 0.95: "
                                   "these labels are largely readable from the source"),
        (audit_with(0.62, 0.5, 0.95), "reaches 0.62 of 0.95: these labels are partly readable"),
        (audit_with(0.45, 0.42, 0.95), "reaches 0.45 of 0.95: little of these labels is readable"),
        (audit_with(0.45, 0.35, 0.95), "reaches 0.45 of 0.95: no more than guessing"),
        (audit_with(0.87, 0.8, 0.8), "reaches 0.87, the run itself 0.80: these labels are largely"),
        (audit_with(0.87, 0.8), "reaches 0.87, where the commonest label alone gives 0.40: these"),
        (audit_with(0.98, None), "gives 0.40: too few patients of test for a verdict"),
        (audit_with(0.5, 0.4, histogram=0.9), "a model that sees only the gray histogram reaches"),
    ],
)  # fmt: skip
def test_the_verdict_says_what_the_numbers_mean(told, sentence):
    assert sentence in verdict(*told)


def test_accuracies_are_those_of_scikit_learn(rng):
    from sklearn.metrics import accuracy_score, balanced_accuracy_score

    true = rng.choice(["a", "b", "c"], 60, p=[0.6, 0.3, 0.1])
    said = np.where(rng.uniform(size=60) < 0.7, true, "a")
    told = accuracies(true, said, np.arange(60), METHOD)
    assert told.accuracy == pytest.approx(accuracy_score(true, said))
    assert told.balanced_accuracy == pytest.approx(balanced_accuracy_score(true, said))


@pytest.fixture
def split_file(rng, tmp_path):
    """Write images whose border tells the label."""
    records = split_of(rng, 96)
    for record in records:
        image = rng.integers(60, 190, (48, 40), np.uint8)
        image[:6] = 250 if record.label == "covid" else 5
        write_image(tmp_path / record.file, image)
    write_split(tmp_path / "split.csv", records, {})
    return tmp_path / "split.csv"


def test_the_command_prints_one_object_or_a_table_with_a_verdict(split_file, capsys):
    assert main(["audit", str(split_file), "--json", "--draws", "100"]) == 0
    told = json.loads(capsys.readouterr().out)
    for name in ("border", "thumbnail", "histogram", "size", "source"):
        assert {"accuracy", "interval"} <= told[name].keys()
    assert told["border"]["accuracy"] == 1.0
    assert told["test_images"] == 24
    assert main(["audit", str(split_file), "--draws", "100"]) == 0
    out = capsys.readouterr().out
    assert "border: the outer eighth of each side" in out
    assert "Verdict: a model that sees only the border reaches 1.00" in out


def test_the_command_names_a_missing_file(split_file, capsys):
    (split_file.parent / "7.png").unlink()
    assert main(["audit", str(split_file)]) == 1
    assert "7.png: No such file or directory" in capsys.readouterr().err


@pytest.mark.slow
def test_auditing_without_a_run_loads_no_framework(split_file):
    code = (
        "import sys\n"
        "from cxr_models.cli import main\n"
        f"assert main(['audit', {str(split_file)!r}, '--json', '--draws', '100']) == 0\n"
        "found = {'tensorflow', 'keras', 'torch', 'jax'} & set(sys.modules)\n"
        "assert not found, found"
    )
    run_code(code)
