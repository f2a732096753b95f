"""An evaluation as lines for the terminal: the test set and other sources whole, the rest short."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    Told = Mapping[str, Any]

_CLASS_ROWS = (
    ("precision", "precision"),
    ("recall", "recall"),
    ("F1", "f1"),
    ("specificity", "specificity"),
    ("ROC-AUC", "roc_auc"),
    ("PR-AUC", "pr_auc"),
)
_POINT_ROWS = ("sensitivity", "specificity", "precision")
_ROLES = {"train": "seen in training", "val": "chose epoch, temperature and thresholds"}


def evaluation_lines(evaluation: Told) -> Iterator[str]:
    """Yield the lines of one run's evaluation."""
    bootstrap = evaluation["bootstrap"]
    yield (
        f"run {evaluation['run']}; {bootstrap['level']:.0%} intervals from {bootstrap['draws']} "
        "draws of patients"
    )
    calibration = evaluation["calibration"]
    temperature = f"temperature {calibration['temperature']:.3f}, fitted on val"
    if "reason" in calibration:
        temperature = f"no temperature fitted: {calibration['reason']}"
    yield f"{temperature}; thresholds chosen on val: {evaluation['operating_points']['rule']}"
    for name, told in evaluation["sets"].items():
        yield ""
        yield _heading(name, told)
        if told["kind"] in _ROLES:
            overall = told["overall"]
            yield (
                f"  accuracy {value(overall['accuracy'])}, balanced accuracy "
                f"{value(overall['balanced_accuracy'])}"
            )
            continue
        yield from _indented(summary_lines(told))
        for title, key in (("source", "by_source"), ("view", "by_view")):
            yield from _indented(_group_lines(title, told[key], evaluation["class_names"]))


def summary_lines(told: Told) -> Iterator[str]:
    """Yield overall values, a table of the classes' values, and the confusion."""
    overall = told["overall"]
    yield (
        f"accuracy {value(overall['accuracy'])}, balanced accuracy "
        f"{value(overall['balanced_accuracy'])}"
    )
    line = f"calibration error {value(overall['ece'])}"
    if "ece_calibrated" in overall:
        line += f", calibrated {value(overall['ece_calibrated'])}"
    yield line
    classes = told["classes"]
    rows = [["", *classes]]
    rows += [[title, *(value(one[key]) for one in classes.values())] for title, key in _CLASS_ROWS]
    points = [one.get("operating_point") for one in classes.values()]
    if all(points):
        rows.append(["at threshold", *(_threshold(point) for point in points)])
        for row in _POINT_ROWS:
            rows.append([f"  {row}", *(value(p[row]) if row in p else "-" for p in points)])
    yield from table(rows)
    yield from table(
        [
            ["true, down; said, across", *classes],
            *(
                [name, *map(str, row)]
                for name, row in zip(classes, told["confusion"]["counts"], strict=True)
            ),
        ]
    )
    yield from (
        f"{name}: {metric} undefined: {one[metric]['reason']}"
        for name, one in classes.items()
        for metric in ("recall", "precision", "roc_auc")
        if one[metric]["value"] is None
    )
    yield from _remarks(told)


def _remarks(told: Told) -> Iterator[str]:
    """Say which classes have too few patients for an interval, or few."""
    none, few = set(), set()
    for name, one in told["classes"].items():
        for key in ("recall", "specificity"):  # of the class, and of the others
            whom = name if key == "recall" else f"others than {name}"
            if "remark" in one[key]:
                few.add(whom)
            elif one[key]["value"] is not None and one[key]["interval"] is None:
                none.add(f"{whom}: {one[key]['reason']}")
    yield from (f"no interval for {one}" for one in sorted(none))
    if few:
        yield f"fewer than 30 patients, read intervals with care: {', '.join(sorted(few))}"


def together_lines(told: Told) -> Iterator[str]:
    """Yield the lines of runs compared or pooled, first of all in what they differ."""
    for name, values in told.get("differ", {}).items():
        yield f"{name}: {', '.join(f'{run} {one}' for run, one in values.items())}"
    for comparison in told.get("comparisons", ()):
        yield ""
        yield (
            f"{comparison['first']} minus {comparison['second']} on {comparison['set']}, "
            f"{comparison['images']} images"
        )
        mcnemar = comparison["mcnemar"]
        yield (
            f"  accuracy {value(comparison['accuracy'], sign=True)}; McNemar p "
            f"{_p(mcnemar['p_value'])} ({mcnemar['only_first']} right in the first alone, "
            f"{mcnemar['only_second']} in the second alone)"
        )
        for name, test in comparison["roc_auc"].items():
            difference = value({"value": test["difference"], **test}, sign=True)
            p = f"DeLong p {_p(test['p_value'])}" if test["p_value"] is not None else test["reason"]
            yield f"  ROC-AUC of {name} {difference}; {p}"
    pooled = told.get("pooled")
    if pooled:
        rows = [["test sets of", "images", "accuracy", "balanced accuracy"]]
        for name, run in pooled["runs"].items():
            cells = (value(run["accuracy"]), value(run["balanced_accuracy"]))
            rows.append([name, str(run["images"]), *cells])
        yield ""
        yield from table(rows)
        yield _heading(f"pooled {pooled['of']}" if "of" in pooled else "pooled", pooled)
        yield from _indented(summary_lines(pooled))


def value(told: Told, *, sign: bool = False) -> str:
    """Return a value and its interval in three places; ``-`` for what is undefined."""
    number, interval = told["value"], told.get("interval")
    if number is None:
        return "-"
    places = "+.3f" if sign else ".3f"
    if interval is None:
        return f"{number:{places}} [no interval]"
    return f"{number:{places}} [{interval[0]:{places}}, {interval[1]:{places}}]"


def table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a table; its first row is the heading."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]
        yield "  ".join(cells).rstrip()


def _heading(name: str, told: Told) -> str:
    labels = ", ".join(f"{label} {count}" for label, count in told["labels"].items())
    role = _ROLES.get(told.get("kind", ""), "")
    return (
        f"{name}: {told['images']} images of {told['patients']} patients ({labels})"
        f"{': ' + role if role else ''}"
    )


def _group_lines(title: str, groups: Told, class_names: Sequence[str]) -> Iterator[str]:
    if len(groups) < 2 and "not stated" in groups:
        return
    rows = [[title, "images", "accuracy", *(f"said {name}" for name in class_names)]]
    for name, told in groups.items():
        said = [sum(column) for column in zip(*told["confusion"]["counts"], strict=True)]
        cells = (str(told["images"]), value(told["overall"]["accuracy"]), *map(str, said))
        rows.append([f"{name} ({', '.join(told['labels'])})", *cells])
    yield from table(rows)


def _threshold(point: Told) -> str:
    return "-" if point["threshold"] is None else f"{point['threshold']:.3f}"


def _p(p_value: float) -> str:
    return f"{p_value:.3f}" if p_value >= 0.001 else f"{p_value:.1e}"


def _indented(lines: Iterator[str]) -> Iterator[str]:
    return (f"  {line}" for line in lines)
