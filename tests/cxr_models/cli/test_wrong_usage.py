"""What is wrong with a command is said before a framework is loaded."""

import json

import pytest

pytest.importorskip("typer", reason="typer is not installed")

from cxr_models import Record, RunConfig
from cxr_models.records.splits import read_split, split_records, write_split
from cxr_models.runs.facts import RunFacts
from cxr_models.runs.finished import keep_split
from cxr_models.runs.folder import RunFolder
from tests.helpers.fresh_process import run_code
from tests.helpers.radiographs import write_class_folders

FRAMEWORKS = ("tensorflow", "keras", "sklearn", "jinja2")
# In the sentences, {tmp} is the folder of the test.
CASES = [
    ("train {tmp}/split.csv --out {tmp}/x --bacbone resnet101", "No such option: --bacbone"),
    ("train {tmp}/split.csv --out {tmp}/x --seed one", "Invalid value for '--seed'"),
    ("train {tmp}/split.cs --out {tmp}/x", "{tmp}/split.cs: No such file or directory."),
    ("train {tmp}/split.csv", "`--out` must be given, unless with --print-config; got none."),
    ("train --out {tmp}/x", "`SPLIT` must be given, unless with --print-config; got none."),
    ("train {tmp}/gone.csv --out {tmp}/x", "`split` must name files that exist; got 1 in train"),
    ("train {tmp}/split.csv --out {tmp}/x --backbone resnet11",
     "`backbone` must be one of 'nasnet_mobile'"),
    ("evaluate {tmp} --aggregate source", "`aggregate` must be patient or study; got 'source'."),
    ("evaluate {tmp} --aggregate study --aggregate-by sum", "`aggregate_by` must be mean or max"),
    ("evaluate {tmp} --aggregate-by max",
     "`--aggregate-by` is only allowed with --aggregate; got 'max'"),
    ("predict {tmp} {tmp} --out {tmp}/x --aggregate-by max",
     "`--aggregate-by` is only allowed with --aggregate; got 'max'"),
    ("train {tmp}/split.csv --out {tmp}/x --set training.recipe=corected",
     "`recipe` must be one of 'corrected', 'study'; got 'corected'. Did you mean corrected?"),
    ("train {tmp}/split.csv --out {tmp}/x --set training.epoch_head=3",
     "got 'training.epoch_head'. Did you mean training.epochs_head?"),
    ("train {tmp}/split.csv --out {tmp}/x --set data.zoom=3", "The settings are data.image_size, "),
    ("train {tmp}/split.csv --out {tmp}/x --config {tmp}/wrong.toml",
     "got epoch_head. Did you mean epochs_head?"),
    ("train {tmp}/split.csv --out {tmp}/x --weights nonee",
     "`weights` must be imagenet, none, or a file that ends in .weights.h5, .h5, .keras; "
     "got 'nonee'. Did you mean none?"),
    ("train {tmp}/split.csv --out {tmp}/x --weights w.h5", "`weights` must name a file that exist"),
    ("train {tmp}/split.csv --out {tmp}/x --backbone inception_resnet_v2 --image-size 64 64",
     "`image_size` must be at least (75, 75) for InceptionResNetV2; got (64, 64)."),
    ("train {tmp}/split.csv --out {tmp}/x --task binary --set model.positive_class=tb",
     "`positive_class` must be one of covid, normal, virus; got 'tb'. Name the label to tell from "
     "the others, such as: --set model.positive_class=covid"),
    ("train {tmp}/split.csv --out {tmp}/x --weights none --epochs-head 0",
     "got 0. Give --epochs-head 50, or pretrained weights."),
    ("train {tmp}/split.csv --out {tmp}/x --epochs-head 0 --epochs-fine-tune 0",
     "which trains nothing. Give --epochs-head 50."),
    ("train {tmp}/split.csv --out {tmp}/x --weights none --epochs-fine-tune 3",
     "`epochs_fine_tune` is only allowed with pretrained weights; got 3 and weights none"),
    ("train {tmp}/split.csv --out {tmp}/x --weights none --set training.epochs_fine_tune=5",
     "`epochs_fine_tune` is only allowed with pretrained weights; got 5 and weights none"),
    ("train {tmp}/split.csv --out {tmp}/x --weights none --cache-features 2",
     "`cache_features` must be 0 with weights none, where nothing is frozen; got 2."),
    ("train {tmp}/split.csv --out {tmp}/images", "got '{tmp}/images', which holds other files."),
    ("train {tmp}/split.csv --out {tmp}/run --epochs-head 3",
     "whose run has other settings: training.epochs_head is 50 there and 3 here."),
    ("evaluate {tmp}/nope", "`RUN` must be the folder of a run; got '{tmp}/nope'."),
    ("evaluate {tmp}/nope --from-predictions", "`RUN` must be the folder of a run; got"),
    ("evaluate {tmp}/run {tmp}/images", "which lacks config.json or run.json"),
    ("evaluate {tmp}/run --external {tmp}/e.csv", "{tmp}/e.csv: No such file or directory."),
    ("evaluate {tmp}/run --draws 5", "Invalid value for '--draws'"),
    ("evaluate {tmp}/run --by sex:3:1", "`--by` must give the edges of bands as rising numbers"),
    ("evaluate {tmp}/run --by", "Option '--by' requires an argument"),
    ("evaluate {tmp}/run --sensitivity 2", "`sensitivity` must be"),
    ("evaluate-predictions {tmp}/gone --out {tmp}/x", "{tmp}/gone: No such file or directory."),
    ("evaluate-predictions {tmp}/split.csv --out {tmp}/x",
     "`split.csv` must have a column prob:CLASS for each class; got file, label, patient"),
    ("evaluate-predictions {tmp}/split.csv --out {tmp}/x --threshold 1",
     "`threshold` must be between 0 and 1; got 1.0."),
    ("evaluate-predictions {tmp}/a.csv {tmp}/b.csv --out {tmp}/x --validation {tmp}/v.csv",
     "`--validation` is only allowed with one table; got 2."),
    ("evaluate-predictions {tmp}/split.csv --out {tmp}/images",
     "`--out` must not name a folder of other files"),
    ("predict {tmp}/nope {tmp}/images --out {tmp}/p.csv", "`RUN` must be the folder of a run"),
    ("predict {tmp}/run {tmp}/a.png {tmp}/b.png {tmp}/images --out {tmp}/p.csv",
     "`INPUT` must name files and folders that exist; got '{tmp}/a.png' and 1 more."),
    ("predict {tmp}/run {tmp}/images --out {tmp}/p.csv --batch-size 0", "'--batch-size'"),
    ("predict {tmp}/run {tmp}/images --out {tmp}/split.csv", "`--out` must not exist"),
    ("export {tmp}/nope --format keras --out {tmp}/m.keras", "`RUN` must be the folder of a run"),
    ("export {tmp}/run --format onxn --out {tmp}/m.onnx",
     "`--format` must be one of keras, saved_model, onnx, litert; got 'onxn'. Did you mean onnx?"),
    ("export {tmp}/run --format keras --out {tmp}/m.h5", "`--out` must end in .keras for keras"),
    ("export {tmp}/run --format keras --out {tmp}/m.keras --channels 2", "`channels` must be 1 or"),
    ("export {tmp}/run --format litert --out {tmp}/m.tflite", "LiteRT has no float64"),
    ("report {tmp}/nope --out {tmp}/r.pdf", "`--out` must end in .html or .md"),
    ("report {tmp}/run --out {tmp}/r.md --explain", "`--explain` is only allowed with an --out"),
    ("audit {tmp}/nope.csv", "{tmp}/nope.csv: No such file or directory."),
    ("audit {tmp}/split.csv --run {tmp}/nope", "`RUN` must be the folder of a run"),
    ("audit {tmp}/split.csv --perturb", "`--perturb` is only allowed with --run; got none."),
    ("audit {tmp}/split.csv --run {tmp}/run --perturb-images 9",
     "`--perturb-images` is only allowed with --perturb; got 9."),
    ("bench-pipeline {tmp}/nope.csv", "{tmp}/nope.csv: No such file or directory."),
    ("bench-pipeline {tmp}/gone.csv", "`split` must name files that exist; got 1 in train"),
    ("bench-pipeline {tmp}/split.csv --order enhance", "Did you mean enhance-first?"),
    ("bench-pipeline {tmp}/split.csv --backbone inception_resnet_v2 --image-size 64 64",
     "`image_size` must be at least (75, 75) for InceptionResNetV2; got (64, 64)."),
    ("demo {tmp}/images", "`DIR` must be new, empty or an earlier demo's"),
]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Write a split, one of whose images are gone, and a run that has ended."""
    folder = tmp_path_factory.mktemp("usage")
    names = write_class_folders(folder / "images", count=8)
    records = [
        Record(file=f"images/{name}", label=name.split("/")[0], patient=name.rsplit("-", 1)[0])
        for name in names
    ]
    write_split(folder / "split.csv", split_records(records), {"seed": 0})
    gone = [*records, Record(file="images/gone.png", label="covid", patient="p", split="train")]
    parts = {record.file: record for record in split_records(records)}
    write_split(folder / "gone.csv", [parts.get(record.file, record) for record in gone], {})
    (folder / "wrong.toml").write_text("[training]\nepoch_head = 3\n")
    split = read_split(folder / "split.csv")
    facts = RunFacts(
        split_sha256=split.hash,
        split_root=str(folder),
        class_names=split.class_names(),
    )
    run = RunFolder(path=folder / "run")
    run.begin(RunConfig(), facts)
    keep_split(run.path, split)
    run.best_weights.write_bytes(b"weights")
    return folder


@pytest.fixture(scope="module")
def answers(folder):
    """Run all commands in one process where no framework can be imported."""
    lines = """
        import contextlib, io, json
        from cxr_models.cli import main
        answers = []
        for words in json.loads(sys.argv[1]):
            said = io.StringIO()
            with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
                status = main(words)
            answers.append((status, said.getvalue()))
        print(json.dumps(answers))
        """
    words = [command.format(tmp=folder).split() for command, _ in CASES]
    said = run_code(lines, json.dumps(words), without=FRAMEWORKS).stdout
    return dict(zip((command for command, _ in CASES), json.loads(said), strict=True))


@pytest.mark.parametrize(("command", "sentence"), CASES, ids=[command for command, _ in CASES])
def test_wrong_usage_is_told_without_a_framework(folder, answers, command, sentence):
    status, said = answers[command]
    assert status == 2, said
    assert sentence.format(tmp=folder) in said
    assert not (folder / "x").exists()


def test_a_run_that_was_not_evaluated_is_wrong_usage_of_report(folder, tmp_path):
    pytest.importorskip("jinja2", reason="jinja2 is not installed")
    lines = "from cxr_models.cli import main; sys.exit(main(sys.argv[1:]))"
    words = ["report", folder / "nope", "--out", tmp_path / "r.html"]
    said = run_code(lines, *words, without=("tensorflow", "keras"), status=2).stderr
    assert "`RUN` must be a run that was evaluated" in said
