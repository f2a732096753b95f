"""The commands and their options; each command calls the module that does its work."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cxr_enhance.cli.program import new_program
from cxr_models.backbones import BACKBONES
from cxr_models.evaluation.bootstrap import DRAWS
from cxr_models.records.duplicates import MAX_DISTANCE
from cxr_models.records.layouts.known import SETS
from cxr_models.records.splits import FRACTIONS

app = new_program(
    "cxr-models",
    "Classify chest radiographs: records, splits, input pipeline, transfer learning.",
)

# Options that several commands share.
_Draws = Annotated[int, typer.Option(min=100, help="Number of bootstrap draws of patients.")]
_Seed = Annotated[int, typer.Option(min=0, help="Seed of the draws.")]
_Sensitivity = Annotated[
    float | None,
    typer.Option(help="Sensitivity of operating points on val. Default: Youden's index."),
]
_Prevalence = Annotated[
    list[str] | None,
    typer.Option(
        metavar="P,...", help="Prevalences for predictive values. Default: that of each set."
    ),
]
_AtSpecificity = Annotated[
    list[str] | None,
    typer.Option(metavar="S,...", help="Give the sensitivity at these specificities on val."),
]
_Aggregate = Annotated[
    str | None,
    typer.Option(metavar="UNIT", help="Join the images of each patient, or study, to one row."),
]
_AggregateBy = Annotated[
    str | None,
    typer.Option(
        metavar="RULE",
        help="How: mean (of logits; the default), or max (of two classes, or findings).",
    ),
]
_By = Annotated[
    list[str] | None,
    typer.Option(
        metavar="COLUMN,...",
        help="Values by group: sex,age,view,source,manufacturer or others; dose:10:50 bands.",
    ),
]
_Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace an earlier output of this command.")
]
_Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]


def _list_layouts(is_set: bool) -> None:
    if is_set:
        from cxr_models.cli import _index

        raise typer.Exit(_index.list_layouts())


@app.command(short_help="List radiographs, their labels, patients and duplicates.")
def index(
    source: Annotated[Path, typer.Argument(metavar="SOURCE", help="Folder of the images.")],
    out: Annotated[Path, typer.Option(metavar="FILE.csv", help="The manifest to write.")],
    layout: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Name of the set, if it is not recognised (see --list-layouts)."
        ),
    ] = None,
    list_layouts: Annotated[
        bool,
        typer.Option(
            "--list-layouts",
            is_eager=True,
            callback=_list_layouts,
            help=f"Print the {len(SETS)} known sets, their licences and citations.",
        ),
    ] = False,
    labels: Annotated[
        str | None,
        typer.Option(metavar="A,B=b,...", help="Labels to keep; B=b renames B to b. Default: all."),
    ] = None,
    patient_pattern: Annotated[
        str | None,
        typer.Option(
            metavar="REGEX", help="Regular expression that finds the patient in a file's path."
        ),
    ] = None,
    csv: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Take files from this CSV; more CSVs are joined to it."),
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(
            metavar="file=F,label=L,...",
            help="Columns of the CSV for file, label, patient, group, source, view, study, ...",
        ),
    ] = None,
    label_from: Annotated[
        str | None,
        typer.Option(metavar="FINDING", help="Make two labels from this finding: present or not."),
    ] = None,
    priority: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,...", help="Make the label from the first of these that is present."
        ),
    ] = None,
    uncertain: Annotated[
        str,
        typer.Option(metavar="RULE", help="Uncertain findings, for labels: ignore, zero or one."),
    ] = "ignore",
    blank: Annotated[
        str,
        typer.Option(metavar="RULE", help="What a blank in the set means: unknown or absent."),
    ] = "unknown",
    harmonise: Annotated[
        bool, typer.Option("--harmonise", help="Give findings the same names in all sets.")
    ] = False,
    official_split: Annotated[
        bool, typer.Option("--official-split", help="Use the set's own train, val and test.")
    ] = False,
    drop_split: Annotated[
        bool, typer.Option("--drop-split", help="Do not keep the split of a manifest (--csv).")
    ] = False,
    views: Annotated[
        str | None,
        typer.Option(metavar="PA,AP|all", help="Views to keep. Default: frontal and unknown ones."),
    ] = None,
    modality: Annotated[
        str | None,
        typer.Option(
            metavar="CR,DX|all", help="Modalities to keep. Default: radiographs and unknown ones."
        ),
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN=VALUE", help="Keep only images with this value; may be repeated."
        ),
    ] = None,
    keep: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN", help="Keep a column of the set; may be repeated."),
    ] = None,
    rows: Annotated[
        str | None,
        typer.Option(
            metavar="RULE", help="Join rows of one image by any, vote, majority or first."
        ),
    ] = None,
    no_decode: Annotated[
        bool,
        typer.Option("--no-decode", help="Read only tables and headers; copies are not found."),
    ] = False,
    max_distance: Annotated[
        int, typer.Option(min=0, max=128, help="Bits of 256 in which near duplicates may differ.")
    ] = MAX_DISTANCE,
    drop_duplicates: Annotated[
        bool,
        typer.Option("--drop-duplicates", help="Keep one image of each set of copies."),
    ] = False,
    pseudonym_key: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Key for pseudonyms of DICOM patient ids. Default: your own key."
        ),
    ] = None,
    keep_patient_ids: Annotated[
        bool,
        typer.Option("--keep-patient-ids", help="Write DICOM patient ids as they are."),
    ] = False,
    overwrite: _Overwrite = False,
) -> None:
    """List the radiographs of a public set, of class folders, or of a CSV in a manifest."""
    from cxr_models.cli import _console, _index
    from cxr_models.records.choices import Choices, conditions, names_of

    with _console.errors_exit_with(_console.WRONG_USAGE):
        choices = Choices(
            label_from=label_from or "",
            priority=names_of(priority),
            uncertain=uncertain,
            blank=blank,
            harmonise=harmonise,
            official_split=official_split,
            views=frozenset(names_of(views)) or None,
            modalities=frozenset(names_of(modality)) or None,
            where=conditions(where or []),
            keep=tuple(keep or []),
            rows=rows or "",
        )
    status = _index.index(
        source,
        out,
        layout_name=layout,
        labels=labels,
        patient_pattern=patient_pattern,
        csvs=csv or [],
        columns=columns,
        choices=choices,
        drop_split=drop_split,
        decode=not no_decode,
        max_distance=max_distance,
        drop_duplicates=drop_duplicates,
        pseudonym_key=pseudonym_key,
        keep_patient_ids=keep_patient_ids,
        overwrite=overwrite,
    )
    raise typer.Exit(status)


@app.command(short_help="Split a manifest and keep patients and groups together.")
def split(
    manifest: Annotated[
        Path, typer.Argument(metavar="MANIFEST", help="A manifest, as index writes it.")
    ],
    out: Annotated[
        Path, typer.Option(metavar="PATH", help="The split to write; a folder for several.")
    ],
    fractions: Annotated[
        tuple[float, float, float],
        typer.Option(
            metavar="TRAIN VAL TEST", help="Shares of train, val and test; their sum is 1."
        ),
    ] = FRACTIONS,
    seed: Annotated[int, typer.Option(help="Equal seeds give equal splits.")] = 0,
    folds: Annotated[
        int | None, typer.Option(metavar="K", help="Write K splits; each image is tested once.")
    ] = None,
    leave_source_out: Annotated[
        bool,
        typer.Option(
            "--leave-source-out", help="Write one split for each source, which is its test set."
        ),
    ] = False,
    test_others: Annotated[
        bool,
        typer.Option("--test-others", help="Also test on the usual share of the other sources."),
    ] = False,
    stratify_findings: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,...", help="Stratify by these findings instead of labels; all: by all."
        ),
    ] = None,
    shared_ids: Annotated[
        bool,
        typer.Option("--shared-ids", help="Equal patient ids of two sources are one patient."),
    ] = False,
    drop_split: Annotated[
        bool, typer.Option("--drop-split", help="Make a new split, even if the manifest has one.")
    ] = False,
    without_leaks: Annotated[
        bool,
        typer.Option(
            "--without-leaks",
            help="Remove images from train and val that share a patient or copy with test.",
        ),
    ] = False,
    overwrite: _Overwrite = False,
) -> None:
    """Split a manifest into train, val and test, stratified by label or by findings."""
    from cxr_models.cli import _records
    from cxr_models.records.choices import names_of

    status = _records.split(
        manifest,
        out,
        fractions=fractions,
        seed=seed,
        folds=folds,
        leave_source_out=leave_source_out,
        test_others=test_others,
        findings=None if stratify_findings is None else names_of(stratify_findings),
        shared_ids=shared_ids,
        drop_split=drop_split,
        drop_leaks=without_leaks,
        overwrite=overwrite,
    )
    raise typer.Exit(status)


@app.command(short_help="Train a classifier, or resume a run.")
def train(
    split: Annotated[
        Path | None,
        typer.Argument(metavar="SPLIT", help="A split, as split writes it.", show_default=False),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Folder of the run: a new one, or that of a run to resume."
        ),
    ] = None,
    backbone: Annotated[
        str | None, typer.Option(metavar="NAME", help=f"One of {', '.join(BACKBONES)}.")
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(metavar="TASK", help="multiclass, binary (covid or not), or multilabel."),
    ] = None,
    findings: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,...", help="For multilabel: findings A,B, in columns finding:A, finding:B."
        ),
    ] = None,
    uncertain: Annotated[
        str | None,
        typer.Option(
            metavar="RULE",
            help="For multilabel: in training, uncertain findings are unknown, absent or present.",
        ),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="corrected, or study (with the study's faults)."),
    ] = None,
    weights: Annotated[
        str | None, typer.Option(metavar="W", help="imagenet, none, or a file of weights.")
    ] = None,
    epochs_head: Annotated[
        int | None, typer.Option(help="Epochs with the frozen backbone; from scratch: all epochs.")
    ] = None,
    epochs_fine_tune: Annotated[
        int | None, typer.Option(help="Epochs with all layers trainable.")
    ] = None,
    batch_size: Annotated[int | None, typer.Option(help="Images in a batch.")] = None,
    image_size: Annotated[
        tuple[int, int] | None,
        typer.Option(metavar="H W", help="Height and width of the model's input."),
    ] = None,
    cache_dir: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="Folder in which decoded and enhanced images are cached."),
    ] = None,
    cache_features: Annotated[
        int | None,
        typer.Option(metavar="K", help="Cache features of K augmented views of each image."),
    ] = None,
    params: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.json",
            help="File with the enhancement, as EnhanceParams.to_json() writes it.",
        ),
    ] = None,
    no_enhance: Annotated[
        bool, typer.Option("--no-enhance", help="Train without enhancement.")
    ] = False,
    deterministic: Annotated[
        bool | None, typer.Option("--deterministic", help="Equal seeds give equal bytes on a CPU.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Seed of weights, order and augmentation.")
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Settings as TOML or JSON; options override them."),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Change any setting, such as training.patience=5."
        ),
    ] = None,
    print_config: Annotated[
        bool,
        typer.Option("--print-config", help="Print all settings as JSON for --config, and end."),
    ] = False,
) -> None:
    """Train in two phases: first the head on the frozen backbone, then all layers.

    Set TF_CPP_MIN_LOG_LEVEL=0 in the environment to see TensorFlow's messages.
    """
    from cxr_models.cli import _console, _train
    from cxr_models.records.choices import names_of

    typed = {
        "model.backbone": backbone,
        "model.task": task,
        "model.findings": None if findings is None else list(names_of(findings)),
        "model.uncertain": uncertain,
        "model.weights": weights,
        "training.recipe": recipe,
        "training.epochs_head": epochs_head,
        "training.epochs_fine_tune": epochs_fine_tune,
        "training.batch_size": batch_size,
        "training.cache_features": cache_features,
        "training.seed": seed,
        "data.image_size": image_size,
        "data.cache_dir": cache_dir,
        "data.deterministic": deterministic,
    }
    with _console.errors_exit_with(_console.WRONG_USAGE):
        chosen = _train.config_of(
            config, typed, set_ or [], no_enhance=no_enhance, params_file=params
        )
        if print_config:
            _console.say(chosen.to_json().rstrip())
            raise typer.Exit(0)
        if split is None or out is None:
            raise ValueError(
                f"`{'SPLIT' if split is None else '--out'}` must be given, unless with "
                "--print-config; got none."
            )
    raise typer.Exit(_train.train(split, out, chosen))


@app.command(short_help="Evaluate runs on their test sets and on other sources, with intervals.")
def evaluate(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN...",
            help="Runs; several are compared, or pooled if their test sets differ.",
        ),
    ],
    external: Annotated[
        list[Path] | None,
        typer.Option(metavar="MANIFEST", help="Manifest of another source; may be repeated."),
    ] = None,
    split: Annotated[
        Path | None,
        typer.Option(metavar="SPLIT", help="The run's split, if the images were moved."),
    ] = None,
    draws: _Draws = DRAWS,
    seed: _Seed = 0,
    sensitivity: _Sensitivity = None,
    prevalence: _Prevalence = None,
    at_specificity: _AtSpecificity = None,
    aggregate: _Aggregate = None,
    aggregate_by: _AggregateBy = None,
    by: _By = None,
    from_predictions: Annotated[
        bool,
        typer.Option(
            "--from-predictions", help="Use the stored predictions, without images or TensorFlow."
        ),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.json", help="For several runs: write the comparison to this file."
        ),
    ] = None,
    overwrite: _Overwrite = False,
    json: _Json = False,
) -> None:
    """Evaluate runs on their train, val and test parts and on other sources."""
    from cxr_models.cli import _evaluate
    from cxr_models.cli._evaluation_options import evaluation_options

    method, columns = evaluation_options(
        draws, seed, sensitivity, prevalence, at_specificity, aggregate, aggregate_by, by
    )
    status = _evaluate.evaluate(
        runs,
        external or [],
        method,
        columns=columns,
        split=split,
        from_predictions=from_predictions,
        out=out,
        overwrite=overwrite,
        as_json=json,
    )
    raise typer.Exit(status)


@app.command(short_help="Evaluate any model by a table of its predictions.")
def evaluate_predictions(
    tables: Annotated[
        list[Path],
        typer.Argument(
            metavar="PREDICTIONS.csv...",
            help="Columns file, label, patient, prob:CLASS, ...; several tables are compared.",
        ),
    ],
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="A new folder, which evaluate and report read.")
    ],
    validation: Annotated[
        Path | None,
        typer.Option(metavar="FILE.csv", help="Table of the val part, if it is not in the table."),
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of the images, for the audit and the report."),
    ] = None,
    draws: _Draws = DRAWS,
    seed: _Seed = 0,
    sensitivity: _Sensitivity = None,
    threshold: Annotated[
        float | None,
        typer.Option(help="Operating point of all classes, if there is no val. Default: 0.5."),
    ] = None,
    prevalence: _Prevalence = None,
    at_specificity: _AtSpecificity = None,
    aggregate: _Aggregate = None,
    aggregate_by: _AggregateBy = None,
    by: _By = None,
    overwrite: _Overwrite = False,
    json: _Json = False,
) -> None:
    """Evaluate predictions of any model, without TensorFlow; compare those of several models."""
    from cxr_models.cli import _evaluate_predictions
    from cxr_models.cli._evaluation_options import evaluation_options

    method, columns = evaluation_options(
        draws, seed, sensitivity, prevalence, at_specificity, aggregate, aggregate_by, by
    )
    options = _evaluate_predictions.InputOptions(tables, validation, images, threshold)
    status = _evaluate_predictions.evaluate_predictions(
        options, out, method, columns=columns, overwrite=overwrite, as_json=json
    )
    raise typer.Exit(status)


@app.command(short_help="Test how well models do that cannot see the lungs.")
def audit(
    split: Annotated[Path, typer.Argument(metavar="SPLIT", help="A split, as split writes it.")],
    run: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN", help="A run trained on this split; also test it on blanked images."
        ),
    ] = None,
    findings: Annotated[
        str | None,
        typer.Option(metavar="A,B,...", help="Audit these findings instead of labels."),
    ] = None,
    perturb: Annotated[
        bool,
        typer.Option("--perturb", help="Also test the run on changed images."),
    ] = False,
    perturb_images: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Use about N test images for this. Default: all."),
    ] = None,
    draws: _Draws = DRAWS,
    seed: Annotated[int, typer.Option(min=0, help="Seed of draws, random forests and noise.")] = 0,
    json: _Json = False,
) -> None:
    """Train and test models that see only the border, a thumbnail, the histogram or the size."""
    from cxr_models.cli import _audit, _console
    from cxr_models.evaluation.evaluate import Method
    from cxr_models.records.choices import names_of

    with _console.errors_exit_with(_console.WRONG_USAGE):
        method = Method(draws=draws, seed=seed)
        named = None if findings is None else names_of(findings)
        if perturb and run is None:
            raise ValueError("`--perturb` is only allowed with --run; got none.")
        if perturb_images is not None and not perturb:
            raise ValueError(
                f"`--perturb-images` is only allowed with --perturb; got {perturb_images}."
            )
    status = _audit.audit(
        split,
        method,
        run=run,
        findings=named,
        perturb=perturb,
        perturb_images=perturb_images,
        as_json=json,
    )
    raise typer.Exit(status)


@app.command(short_help="Predict images, DICOM files and folders.")
def predict(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A finished run.")],
    inputs: Annotated[
        list[Path],
        typer.Argument(metavar="INPUT...", help="Images, DICOM files, or folders."),
    ],
    out: Annotated[Path, typer.Option(metavar="FILE.csv", help="The table to write.")],
    explain: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder for pictures of where the model looked."),
    ] = None,
    explain_finding: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Finding to explain. Default: the most probable of each image."
        ),
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Images in a batch. Default: the run's.")
    ] = None,
    aggregate: _Aggregate = None,
    aggregate_by: _AggregateBy = None,
    records: Annotated[
        Path | None,
        typer.Option(
            metavar="MANIFEST", help="Manifest with patients and studies. Default: DICOM headers."
        ),
    ] = None,
    overwrite: _Overwrite = False,
) -> None:
    """Predict files, enhanced as in training; exit 1 only if none could be predicted."""
    from cxr_models.cli import _console, _predict
    from cxr_models.evaluation.options import aggregation_of

    with _console.errors_exit_with(_console.WRONG_USAGE):
        aggregation = aggregation_of(aggregate, aggregate_by)
    status = _predict.predict_files(
        run,
        inputs,
        out,
        explain=explain,
        finding=explain_finding,
        batch_size=batch_size,
        aggregation=aggregation,
        records=records,
        overwrite=overwrite,
    )
    raise typer.Exit(status)


@app.command(short_help="Export a run as Keras, SavedModel, ONNX or LiteRT.")
def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A finished run.")],
    format_: Annotated[
        str, typer.Option("--format", metavar="F", help="keras, saved_model, onnx or litert.")
    ],
    out: Annotated[
        Path, typer.Option(metavar="PATH", help="A .keras, .onnx or .tflite file, or a folder.")
    ],
    channels: Annotated[
        int, typer.Option(min=1, max=3, help="Channels of its input: 3 (RGB) or 1 (gray).")
    ] = 3,
    bit_depth: Annotated[int, typer.Option(min=8, max=16, help="Bits of its input: 8 or 16.")] = 8,
    input_size: Annotated[
        tuple[int, int] | None,
        typer.Option(
            metavar="H W", help="Fixed size of its input. Default: any; litert: the model's."
        ),
    ] = None,
    white_balanced: Annotated[
        bool,
        typer.Option("--white-balanced", help="Leave out white balance; you do it before."),
    ] = False,
    border_cropped: Annotated[
        bool,
        typer.Option("--border-cropped", help="You crop the borders of images before."),
    ] = False,
    overwrite: _Overwrite = False,
) -> None:
    """Export a model that takes raw images and gives calibrated probabilities."""
    from cxr_models.cli import _export

    status = _export.export_run(
        run,
        format_,
        out,
        channels=channels,
        bit_depth=bit_depth,
        input_size=input_size,
        white_balanced=white_balanced,
        border_cropped=border_cropped,
        overwrite=overwrite,
    )
    raise typer.Exit(status)


@app.command(short_help="Write a report of evaluated runs as HTML or Markdown.")
def report(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Evaluated runs.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="The page to write: .html or .md.")],
    audit: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE.json",
            help="Output of audit --json, for runs of that split; may be repeated.",
        ),
    ] = None,
    explain: Annotated[
        bool,
        typer.Option("--explain", help="Draw Grad-CAM overlays first; needs TensorFlow."),
    ] = False,
    no_images: Annotated[
        bool,
        typer.Option(
            "--no-images", help="Leave radiographs out of the page, for sets you may not pass on."
        ),
    ] = False,
    overwrite: _Overwrite = False,
) -> None:
    """Write the results, settings and data of runs to one page."""
    from cxr_models.cli import _report

    status = _report.report(
        runs,
        out,
        audits=audit or [],
        explain=explain,
        images=not no_images,
        overwrite=overwrite,
    )
    raise typer.Exit(status)


@app.command(short_help="Go from index to report with drawn radiographs, in a few minutes.")
def demo(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="[DIR]", help="A new folder for all results, or that of a demo to resume."
        ),
    ] = Path("cxr-models-demo"),
    epochs: Annotated[int, typer.Option(min=1, help="Epochs of training.")] = 10,
) -> None:
    """Draw radiographs of two clinics, and go from index to report with them."""
    from cxr_models.cli import _demo

    raise typer.Exit(_demo.demo(folder, epochs))


@app.command(short_help="Measure how fast the input pipeline is.")
def bench_pipeline(
    split: Annotated[Path, typer.Argument(metavar="SPLIT", help="A split, as split writes it.")],
    backbone: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Feed this network and measure how long it waits."),
    ] = None,
    batches: Annotated[int, typer.Option(min=1, help="Batches to measure.")] = 30,
    batch_size: Annotated[int | None, typer.Option(help="Images in a batch.")] = None,
    image_size: Annotated[
        tuple[int, int] | None,
        typer.Option(metavar="H W", help="Height and width of the model's input."),
    ] = None,
    order: Annotated[
        str | None, typer.Option(metavar="ORDER", help="resize-first or enhance-first.")
    ] = None,
    cache_dir: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="Folder in which decoded and enhanced images are cached."),
    ] = None,
    no_enhance: Annotated[
        bool, typer.Option("--no-enhance", help="Leave out enhancement.")
    ] = False,
    json: _Json = False,
) -> None:
    """Print images per second; with a backbone, also how long it waited for images."""
    from cxr_models.cli import _bench, _console, _train

    typed = {
        "model.backbone": backbone,
        "training.batch_size": batch_size,
        "data.image_size": image_size,
        "data.order": order,
        "data.cache_dir": cache_dir,
    }
    with _console.errors_exit_with(_console.WRONG_USAGE):
        chosen = _train.config_of(None, typed, [], no_enhance=no_enhance)
    status = _bench.bench(
        split, chosen, batches=batches, with_model=backbone is not None, as_json=json
    )
    raise typer.Exit(status)
