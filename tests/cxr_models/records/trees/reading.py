"""What index makes of a tree, in short."""

from collections import Counter

from cxr_models.records.choices import Choices
from cxr_models.records.known_sets import index_set, recognise
from cxr_models.records.layouts.tree import Tree


def read(folder, **choices):
    """Return the name of the set that is recognised, and its index."""
    all_choices = Choices(**choices)
    tree = Tree(folder, extra=all_choices.columns())
    known_set = recognise(tree)
    assert known_set is not None
    return known_set.name, index_set(tree, known_set, all_choices)


def columns_of(index, *columns):
    """Return columns of the records, one tuple a record."""
    return [tuple(getattr(record, column) for column in columns) for record in index.records]


def present(record):
    """Return the findings of a record that are 1, and those that are u."""
    values = [[n for n, value in record.findings if value == expected] for expected in "1u"]
    return tuple(values)


def reasons(index):
    """Count the files that are not used by reason."""
    return Counter(entry.reason for entry in index.skipped)
