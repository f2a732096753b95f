"""Tables of predictions as users write them for their own models."""

import csv

COLUMNS = ("file", "label", "patient", "source", "view")


def write_table(path, sets, *, part=True, logits=False, delimiter=",", prob="prob", drop=()):
    """Write sets of predictions as one table; `drop` names columns to leave out."""
    names = sets[0].class_names
    rows = []
    for predictions in sets:
        numbers = zip(predictions.probabilities.tolist(), predictions.logits.tolist(), strict=True)
        for record, (shares, values) in zip(predictions.manifest.records, numbers, strict=True):
            row = {column: getattr(record, column) for column in COLUMNS}
            row |= {"part": predictions.name} if part else {}
            row |= {f"{prob}:{name}": p for name, p in zip(names, shares, strict=True)}
            if logits:
                row |= {f"logit:{name}": z for name, z in zip(names, values, strict=True)}
            rows.append({name: cell for name, cell in row.items() if name not in drop})
    return write_csv(path, rows, delimiter=delimiter)


def write_csv(path, rows, *, delimiter=","):
    """Write dictionaries as a CSV and return its path."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
    return path


def write_finding_table(path, sets, *, part=True, logits=True, label=False):
    """Write sets of predictions of findings as one table."""
    rows = []
    for predictions in sets:
        for i, record in enumerate(predictions.manifest.records):
            row = {column: getattr(record, column) for column in COLUMNS if column != "label"}
            row |= {"label": record.label} if label else {}
            row |= {"part": predictions.name} if part else {}
            for k, name in enumerate(predictions.findings):
                target = int(predictions.targets[i, k])
                row[f"finding:{name}"] = "" if target < 0 else target
                row[f"prob:{name}"] = predictions.probabilities[i, k]
                if logits:
                    row[f"logit:{name}"] = predictions.logits[i, k]
            rows.append(row)
    return write_csv(path, rows)
