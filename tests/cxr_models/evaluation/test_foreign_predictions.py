import time

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from sklearn.metrics import average_precision_score, roc_auc_score

from cxr_models.evaluation.any_task import evaluate_any, joined, lines_on_joining
from cxr_models.evaluation.calibration import softmax
from cxr_models.evaluation.compare_runs import compare_or_pool
from cxr_models.evaluation.evaluate import Method, evaluate_sets
from cxr_models.evaluation.foreign_predictions import check_same_files, read_foreign
from cxr_models.evaluation.operating_points import Rule
from cxr_models.evaluation.predictions import read_predictions, write_predictions
from cxr_models.evaluation.results import Aggregation
from tests.helpers.foreign_tables import write_csv, write_finding_table, write_table
from tests.helpers.predicted import CLASSES, make_finding_predictions, make_predictions


def row(file, label="covid", **cells):
    """Give a row of a table of two classes."""
    return {"file": file, "label": label, "prob:covid": "0.75", "prob:normal": "0.25", **cells}


def read(tmp_path, rows, **options):
    return read_foreign(write_csv(tmp_path / "t.csv", rows), **options)


def refused(tmp_path, rows, sentence, **options):
    with pytest.raises(ValueError, match=sentence):
        read(tmp_path, rows, **options)


def test_sets_are_read_as_they_were_predicted(tmp_path, rng):
    sets = [make_predictions(rng, name=name) for name in ("test", "clinic", "val", "train")]
    run = read_foreign(write_table(tmp_path / "t.csv", sets, logits=True))
    assert [one.name for one in run.sets] == ["train", "val", "test", "clinic"]
    assert [one.kind for one in run.sets] == ["train", "val", "test", "external"]
    by_name = {one.name: one for one in sets}
    for one in run.sets:
        told = by_name[one.name]
        np.testing.assert_array_equal(one.logits, told.logits)
        np.testing.assert_allclose(one.probabilities, told.probabilities, atol=1e-12)
        assert one.manifest.records == told.manifest.records
        assert one.class_names == one.labels == CLASSES
        assert one.origin.is_foreign
    assert run.remarks == ()


def test_without_logits_the_logarithms_of_the_probabilities_are_taken_and_it_is_said(tmp_path, rng):
    told = make_predictions(rng)
    run = read_foreign(write_table(tmp_path / "t.csv", [told], part=False, prob="probability"))
    (one,) = run.sets
    assert one.kind == "test"
    np.testing.assert_allclose(one.probabilities, told.probabilities, atol=1e-12)
    assert run.remarks == (
        "no columns logit:CLASS: logarithms of the probabilities take the place of logits",
        "no validation part: probabilities are not calibrated, and thresholds are not chosen on "
        "validation",
    )


def test_validation_may_lie_in_a_table_of_its_own(tmp_path, rng):
    test, val = make_predictions(rng), make_predictions(rng, name="val")
    path = write_table(tmp_path / "t.csv", [test], part=False, logits=True)
    validation = write_table(tmp_path / "v.csv", [val], part=False, logits=True)
    run = read_foreign(path, validation=validation)
    assert [one.name for one in run.sets] == ["val", "test"]
    np.testing.assert_array_equal(run.sets[0].logits, val.logits)
    assert run.remarks == ()
    both = write_table(tmp_path / "both.csv", [test, val], logits=True)
    with pytest.raises(ValueError, match="`--validation` is only allowed with predictions that ha"):
        read_foreign(both, validation=validation)
    with pytest.raises(ValueError, match="`--validation` must hold rows of val alone; got test in"):
        read_foreign(path, validation=write_table(tmp_path / "w.csv", [val, test], logits=True))
    with pytest.raises(ValueError, match="`--validation` must have the columns prob: and logit:"):
        read_foreign(path, validation=write_table(tmp_path / "x.csv", [val], part=False))
    with pytest.raises(ValueError, match=r"`file` must differ from record to record; got twice: '"):
        read_foreign(path, validation=path)


def test_rows_of_train_without_predictions_serve_the_audit_alone(tmp_path):
    empty = {"prob:covid": "", "prob:normal": " "}
    rows = [row("a", part="test"), row("b", part="val"), row("c", part="train") | empty]
    run = read(tmp_path, rows)
    assert [one.name for one in run.sets] == ["val", "test"]
    assert [(r.file, r.split) for r in run.manifest.records] == [
        ("a", "test"), ("b", "val"), ("c", "train"),
    ]  # fmt: skip
    assert "train, 1 image, has no predictions and is not evaluated" in run.remarks
    rows.append(row("d", part="train"))
    refused(tmp_path, rows, r"`prob:covid` must be a number from 0 to 1; got '' for 'c'")


def test_what_headers_say_and_further_columns_are_kept(tmp_path):
    rows = [row("a", patient="p", sex="F", age="58", study="s", dose="low", **{"finding:TB": "u"})]
    (record,) = read(tmp_path, rows).sets[0].manifest.records
    assert (record.patient, record.sex, record.age, record.study) == ("p", "F", "58", "s")
    assert record.findings == (("TB", "u"),)
    assert record.kept == (("dose", "low"),)


def test_files_lie_in_the_folder_of_the_table_or_of_the_images(tmp_path):
    rows = [row("x/a.png")]
    assert read(tmp_path, rows).manifest.paths() == [str(tmp_path / "x/a.png")]
    assert read(tmp_path, rows, images="/images").manifest.paths() == ["/images/x/a.png"]


def test_blanks_around_a_file_name_are_left_out_only_if_the_file_without_them_exists(tmp_path):
    for name in ("a.png", " b.png"):
        (tmp_path / name).write_bytes(b"")
    run = read(tmp_path, [row(name) for name in (" a.png ", " b.png", "b.png", " c.png")])
    files = [record.file for record in run.manifest.records]
    assert files == ["a.png", " b.png", "b.png", " c.png"]


def test_images_without_patients_and_patients_in_two_parts_are_counted(tmp_path):
    rows = [row("a", patient="p1", part="val"), row("b", patient="P1", part="test")]
    rows += [row("c", patient="unknown", part="test"), row("d", patient="", part="test")]
    remarks = read(tmp_path, rows).remarks
    assert remarks[:2] == (
        "2 images have no patient id; each is treated as its own patient, and intervals are too "
        "narrow where it is not",
        "WARNING: 1 patient is in train or val and in a tested set too: its values are too good",
    )


def test_images_that_a_group_ties_across_train_and_a_tested_set_are_counted(tmp_path):
    parts = ("train", "val", "test", "clinic", "test", "test", "train")
    groups = ("x", "y", "x", "y", "z", "z", "")
    rows = [
        row(f"{i}", part=part, group=group, patient=f"p{i}")
        for i, (part, group) in enumerate(zip(parts, groups, strict=True))
    ]
    warnings = [line for line in read(tmp_path, rows).remarks if line.startswith("WARNING")]
    assert warnings == [
        "WARNING: the column group ties 2 images of tested sets to images of train or val: the "
        "values of these sets are too good"
    ]
    same = [{**one, "patient": "p"} for one in rows[:4]]  # the warning of the patient is enough
    warnings = [line for line in read(tmp_path, same).remarks if line.startswith("WARNING")]
    assert len(warnings) == 1
    assert "1 patient is in train" in warnings[0]


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([row("a"), row("b"), row("a")], r"`file` must differ from record to record; got twice: '"),
        ([row("a"), row("b", label="flu")], r"`label` must be a class that has a column, covid, "),
        ([row("a", label="")], r"`label` must not be empty; got 'a', ''. Row 1 of '.*t.csv'"),
        ([row("")], r"`file` must not be empty; got '', 'covid'. Row 1 of"),
        ([row("a", part="val")], r"`part` must be test, or the name of another source, in at leas"),
        ([row("a", part="")], r"`part` must be train, val, test, or the name of another source; g"),
        ([row("a", part="test", split="test")], r"must have one of the columns part and split; g"),
        ([{"file": "a", "prob:x": "1"}], r"`t.csv` must have the columns file and label, and pro"),
        ([row("a", **{"finding:TB": "maybe"})], r"a finding must be 1, 0, -1, u or empty; got"),
    ],
)  # fmt: skip
def test_tables_that_cannot_be_evaluated_are_refused(tmp_path, rows, sentence):
    refused(tmp_path, rows, sentence)


def test_a_table_without_rows_is_refused(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("file,label,prob:a\n")
    with pytest.raises(ValueError, match=r"`t.csv` must hold at least one row; got none"):
        read_foreign(path)
    path.write_text("")
    with pytest.raises(ValueError, match=r"`t.csv` must have the columns file and label.*no colum"):
        read_foreign(path)


def test_parts_are_known_by_their_usual_names_and_others_are_sources(tmp_path):
    words = {"Validation": "val", "training": "train", "TEST": "test", "my clinic/2": "my_clinic_2"}
    rows = [row(word, part=word) for word in words]
    assert sorted(one.name for one in read(tmp_path, rows).sets) == sorted(words.values())


def test_other_sources_are_not_mixed_and_can_name_files(tmp_path):
    def of(*words):
        return [row(str(i), part=word) for i, word in enumerate(("test", *words, *words))]

    for words in (("site A", "site_A"), ("Site", "site")):
        sentence = f"must name other sources by different .*; got '{words[0]}' and '{words[1]}'"
        refused(tmp_path, of(*words), sentence)
    refused(
        tmp_path,
        of("x" * 201),
        r"`part` must name other sources in at most 200 bytes.*got 201 bytes",
    )
    refused(tmp_path, of("я" * 120), r"at most 200 bytes.*got 240 bytes.* outside a-z takes 2 to 4")
    assert [one.name for one in read(tmp_path, of("x" * 200, "site A")).sets][2] == "site_A"


def test_spreadsheets_of_other_countries_are_read(tmp_path):
    path = tmp_path / "t.csv"
    lines = ["sep=;", 'file;label;"prob:a, b";prob:c', "1.png;c;0,125;0,875", '2.png;"a, b";1;0']
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode())
    (one,) = read_foreign(path).sets
    assert one.class_names == ("a, b", "c")
    np.testing.assert_allclose(one.probabilities, [[0.125, 0.875], [1, 0]], atol=1e-12)


def test_two_megabytes_are_read_in_seconds(tmp_path, rng):
    count = 40_000
    shares = rng.dirichlet(np.ones(3), count)
    rows = [
        {
            "file": f"images/{i}.png",
            "label": CLASSES[i % 3],
            "patient": f"p{i // 2}",
            **{f"prob:{name}": f"{p:.6f}" for name, p in zip(CLASSES, shares[i], strict=True)},
        }
        for i in range(count)
    ]
    path = write_csv(tmp_path / "t.csv", rows)
    assert path.stat().st_size > 2_000_000
    start = time.process_time()
    (one,) = read_foreign(path).sets
    assert time.process_time() - start < 10
    np.testing.assert_allclose(one.probabilities, shares, atol=2e-6)


def test_tables_to_compare_must_test_the_same_files(tmp_path):
    def table(name, files, part="test"):
        return read_foreign(write_csv(tmp_path / name, [row(file, part=part) for file in files]))

    one, two = table("1.csv", "abc"), table("2.csv", "bcde")
    check_same_files({"one": one, "same": table("3.csv", "cab")})
    with pytest.raises(
        ValueError, match=r"got 4 files, 2 of them not among the 3 of one, which has"
    ):
        check_same_files({"one": one, "two": two})
    with pytest.raises(ValueError, match=r"`part` must be test in at least one row of each table"):
        check_same_files({"one": one, "two": table("4.csv", "abc", part="clinic")})


def test_tables_to_compare_must_state_the_same_labels_of_the_test_files(tmp_path):
    def table(name, labels, part="test"):
        rows = [row(file, label) for file, label in zip("abc", labels, strict=True)]
        rows += [row(file, part=part) for file in "de"]
        return read_foreign(write_csv(tmp_path / name, [{"part": "test", **one} for one in rows]))

    one = table("1.csv", ["covid", "covid", "normal"])
    with pytest.raises(
        ValueError,
        match=r"`two` must hold the labels of one in test, .* got different labels of 2 images, "
        r"such as 'b' \(covid and normal\). Write the same labels into both tables, or",
    ):
        check_same_files({"one": one, "two": table("2.csv", ["covid", "normal", "covid"])})
    with_clinic = table("3.csv", ["covid", "covid", "normal"], part="clinic")
    labels = {"a": "covid", "b": "covid", "c": "normal"}
    less = [row(file, label, part="test") for file, label in labels.items()]
    less = read_foreign(write_csv(tmp_path / "4.csv", [*less, row("d", part="clinic")]))
    check_same_files({"one": with_clinic, "two": less})  # clinic is left out of the comparison
    findings = [{"file": file, "finding:TB": "1", "prob:TB": 0.5} for file in "abcde"]
    findings = read_foreign(write_csv(tmp_path / "5.csv", findings))
    with pytest.raises(
        ValueError,
        match="`prob:` must be of the same classes or findings in one and tb, to compare them; got "
        "the classes covid, normal and the findings TB",
    ):
        check_same_files({"one": one, "tb": findings})


@pytest.mark.parametrize("label", [False, True])
def test_findings_are_read_as_they_were_predicted(tmp_path, rng, label):
    sets = [make_finding_predictions(rng, name=name) for name in ("val", "test", "clinic")]
    run = read_foreign(write_finding_table(tmp_path / "t.csv", sets, label=label))
    assert [(one.name, one.kind) for one in run.sets] == [
        ("val", "val"), ("test", "test"), ("clinic", "external"),
    ]  # fmt: skip
    for one, told in zip(run.sets, sets, strict=True):
        order = [told.findings.index(name) for name in one.findings]
        assert one.findings == tuple(sorted(told.findings))
        np.testing.assert_array_equal(one.targets, told.targets[:, order])
        np.testing.assert_array_equal(one.logits, told.logits[:, order])
        assert {record.label for record in one.manifest.records} == {
            "chest" if label else "unknown"
        }
    assert run.remarks == ()


def test_of_two_columns_that_differ_in_spaces_none_is_taken(tmp_path):
    refused(tmp_path, [row("a", **{"label ": "normal"})], "`t.csv` must name each column once")


def test_tables_that_are_compared_must_state_the_same_patients(tmp_path):
    def run(name, patients):
        rows = [row(file, patient=one) for file, one in zip("abcd", patients, strict=True)]
        return read_foreign(write_csv(tmp_path / f"{name}.csv", rows))

    mine = run("mine", ["1", "1", "2", "2"])
    check_same_files({"mine": mine, "theirs": run("theirs", ["x", "x", "001", "1.0"])})
    for others, count in ((["", "", "", ""], 2), (["1", "2", "2", "1"], 3)):
        sentence = rf"`patient` must group the files of test .* for {count} files, such as 'b'"
        with pytest.raises(ValueError, match=sentence):
            check_same_files({"mine": mine, "theirs": run("theirs", others)})


def test_patients_that_the_column_group_ties_are_told(tmp_path):
    rows = [row(f"{i}", patient=f"p{i // 2}", group="ab"[i % 3 > 0]) for i in range(12)]
    remark = (
        "the column group ties images: 6 patients count as 1; leave it out if it is not of images "
        "that belong together"
    )
    assert remark in read(tmp_path, rows).remarks
    of_patients = [{**one, "group": one["patient"]} for one in rows]
    assert not any("group" in remark for remark in read(tmp_path, of_patients).remarks)


def test_uncertain_findings_count_as_unknown_and_it_is_said(tmp_path):
    cells = ("1", "0", "-1", "u", "", "yes")
    rows = [
        {"file": str(i), "patient": str(i), "finding:TB": cell, "prob:TB": 0.5}
        for i, cell in enumerate(cells)
    ]
    run = read(tmp_path, rows)
    assert run.sets[0].targets[:, 0].tolist() == [1, 0, -1, -1, -1, 1]
    assert "uncertain findings count as unknown, 2 of them" in run.remarks


@pytest.mark.parametrize("label", ["label", "finding:TB"])
def test_values_at_a_threshold_are_those_of_the_probabilities_that_were_written(tmp_path, label):
    shares = np.array([round(0.02 * number, 2) for number in range(1, 50)] * 2)
    ill = np.arange(98) % 3 == 0
    words = {"label": ("well", "TB"), "finding:TB": ("0", "1")}[label]
    rows = [
        {"file": str(i), "patient": str(i), label: words[int(ill[i])], "prob:TB": share}
        for i, share in enumerate(shares)
    ]
    method = Method(draws=100, rule=Rule(threshold=0.3))
    evaluation = evaluate_any("theirs", read(tmp_path, rows).sets, method)
    values = evaluation.sets["test"]
    of_finding = label != "label"
    point = (values.findings if of_finding else values.classes)["TB"].operating_point
    assert point.sensitivity.value == (ill & (shares >= 0.3)).sum() / ill.sum()
    assert point.specificity.value == (~ill & (shares < 0.3)).sum() / (~ill).sum()
    if not of_finding:
        curve = values.clinic["TB"].decision_curve
        treated = shares[:, None] >= np.array(curve.thresholds)
        odds = np.array(curve.thresholds) / (1 - np.array(curve.thresholds))
        net = (treated & ill[:, None]).mean(0) - odds * (treated & ~ill[:, None]).mean(0)
        np.testing.assert_allclose(curve.net_benefit, net, atol=1e-6)


def table_of_three(rng, decimals, prefix=""):
    """Return columns of 300 images, their classes, and their probabilities as they were written."""
    targets = rng.integers(0, 3, 300)
    far = 20.0 if decimals is None else 8.0  # digits that are not rounded reach far below 1e-16
    logits = far * (rng.normal(size=(300, 3)) + np.eye(3)[targets])
    shares = softmax(logits) if decimals is None else np.round(softmax(logits), decimals)
    columns = {f"prob:{name}": shares[:, k] for k, name in enumerate(CLASSES)}
    files = [f"{prefix}{image}.png" for image in range(300)]
    return {"file": files, "label": np.array(CLASSES)[targets], **columns}, targets, shares


@pytest.mark.parametrize("decimals", [2, 6, 8, None])
def test_images_are_ranked_by_the_probabilities_of_three_classes_as_they_were_written(
    tmp_path, rng, decimals
):
    columns, targets, shares = table_of_three(rng, decimals)
    (predictions,) = read_foreign(columns).sets
    write_predictions(tmp_path / "test.csv", predictions)
    for stored in (predictions, read_predictions(tmp_path / "test.csv")):
        values = evaluate_sets("theirs", [stored], Method(draws=100)).sets["test"]
        for k, name in enumerate(CLASSES):
            positive, of_class = targets == k, values.classes[name]
            for measured, metric in (
                (of_class.roc_auc, roc_auc_score),
                (of_class.pr_auc, average_precision_score),
            ):
                assert measured.value == pytest.approx(metric(positive, shares[:, k]), abs=1e-12)


def test_pooled_tables_are_ranked_by_the_probabilities_as_they_were_written(rng):
    tables = [table_of_three(rng, 2, prefix=prefix) for prefix in ("a", "b")]
    runs = {f"{number}": read_foreign(columns).sets for number, (columns, *_) in enumerate(tables)}
    pooled = compare_or_pool(runs, Method(draws=100)).pooled
    targets, shares = (np.concatenate(arrays) for arrays in list(zip(*tables, strict=True))[1:])
    for k, name in enumerate(CLASSES):
        expected = roc_auc_score(targets == k, shares[:, k])
        assert pooled.classes[name].roc_auc.value == pytest.approx(expected, abs=1e-12)


def test_a_table_of_logits_is_pooled_with_one_of_probabilities_that_do_not_sum_to_1(rng):
    rounded, logits = (table_of_three(rng, 2, prefix=prefix)[0] for prefix in ("a", "b"))
    for name in CLASSES:
        shares = np.asarray(logits.pop(f"prob:{name}"), dtype=float)
        logits[f"logit:{name}"] = np.log(np.maximum(shares, 0.001))
    runs = {"rounded": read_foreign(rounded).sets, "logits": read_foreign(logits).sets}
    pooled = compare_or_pool(runs, Method(draws=100)).pooled
    assert pooled.images == 600


@pytest.mark.parametrize("by", ["mean", "max"])
@pytest.mark.parametrize("label", ["label", "finding:TB"])
def test_a_patient_that_has_the_number_of_one_image_has_it_as_it_was_written(tmp_path, label, by):
    shares = np.array([round(0.02 * number, 2) for number in range(1, 50)] * 2)
    words = {"label": ("No TB", "TB"), "finding:TB": ("0", "1")}[label]
    rows = [
        {"file": str(i), "patient": str(i), label: words[i % 3 == 0], "prob:TB": share}
        for i, share in enumerate(shares)
    ]
    if by == "max":
        rows += [row | {"file": f"second-{row['file']}", "prob:TB": 0.01} for row in rows]
    (images,) = read(tmp_path, rows).sets
    (patients,) = joined([images], Aggregation(of="patient", by=by))
    np.testing.assert_array_equal(patients.probabilities[:, -1], shares)
    if by == "mean":
        np.testing.assert_array_equal(patients.probabilities, images.probabilities)


def test_each_column_of_a_finding_needs_its_labels(tmp_path):
    rows = [{"file": "a", "finding:TB": "1", "prob:TB": 0.5, "prob:Mass": 0.5}]
    sentence = r"`t.csv` must have the column label, or finding:NAME .* got no finding:Mass"
    refused(tmp_path, rows, sentence)


def test_a_rounded_probability_that_outweighs_other_images_is_told(tmp_path):
    shares = {"a": (0.0, 0.9), "b": (0.0, 1.0), "c": (0.0, 0.0), "d": (0.2, 0.9), "e": (1.0, 0.5)}
    rows = [
        {"file": f"{patient}{i}", "patient": patient, "finding:TB": "1", "prob:TB": share}
        for patient, of in shares.items()
        for i, share in enumerate(of)
    ]
    of_findings = read(tmp_path, rows).sets
    (line,) = lines_on_joining(of_findings, Aggregation(of="patient", by="mean"))
    assert line == (
        "test: 2 patients have a probability of 0 or 1 for some images, which outweighs their "
        "other images in the mean of logits; write more digits, or columns logit:NAME"
    )
    assert not list(lines_on_joining(of_findings, Aggregation(of="patient", by="max")))
    assert not list(lines_on_joining(of_findings, None))
    rows = [{**one, "label": "n" if one["patient"] == "d" else "TB"} for one in rows]
    of_classes = read(tmp_path, [{k: one[k] for k in one if k[:3] != "fin"} for one in rows]).sets
    assert list(lines_on_joining(of_classes, Aggregation(of="patient", by="mean"))) == [line]


@pytest.mark.parametrize("others", [("normal",), ("normal", "virus")])
def test_the_class_of_a_single_column_is_the_one_that_the_maximum_joins_by(tmp_path, others):
    labels = ("covid", *others)
    rows = [
        {"file": f"{i}", "patient": f"p{i // 2}", "label": labels[i % len(labels)], "prob:covid": p}
        for i, p in enumerate((0.2, 0.9, 0.4, 0.1, 0.7, 0.3))
    ]
    sets = read(tmp_path, rows).sets
    (patients,) = joined(sets, Aggregation(of="patient", by="max"))
    assert patients.class_names[1] == "covid"
    np.testing.assert_allclose(patients.probabilities[:, 1], (0.9, 0.4, 0.7))
    with pytest.raises(ValueError, match="by max, so that a patient is covid if one image is"):
        joined(sets, Aggregation(of="patient", by="mean"))


def test_it_is_told_which_class_a_patient_has_the_highest_probability_of(tmp_path):
    sets = read(tmp_path, [row("a", patient="p"), row("b", "normal", patient="p")]).sets
    assert list(lines_on_joining(sets, Aggregation(of="patient", by="max"))) == [
        "a patient has the highest probability of normal among its images, and is normal if one of "
        "them is"
    ]
