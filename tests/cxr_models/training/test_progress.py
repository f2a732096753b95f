import pytest

pytest.importorskip("keras", reason="keras is not installed")

from cxr_models.training.progress import Progress, duration


class Clock:
    """Gives the seconds that it was set to."""

    now = 0.0

    def __call__(self):
        return self.now


def watched(epochs=3, steps=4, first_step=30.0, step=2.0, validation=4.0):
    """Go through a phase by a clock of our own; return what was told of it."""
    clock, reports, lines = Clock(), [], []
    progress = Progress(
        phase="head",
        epochs=epochs,
        steps=steps,
        watch=reports.append,
        say=lines.append,
        clock=clock,
    )
    for epoch in range(epochs):
        progress.on_epoch_begin(epoch)
        for batch in range(steps):
            clock.now += first_step if epoch == batch == 0 else step
            progress.on_train_batch_end(batch, {"loss": 1.0})
        clock.now += validation
        progress.on_epoch_end(epoch, {"loss": 0.5, "val_accuracy": 0.75})
    return reports, lines


def test_every_step_is_told_with_its_number_and_the_epoch():
    reports, _ = watched()
    assert [(one.work, one.done, one.steps) for one in reports[:6]] == [
        ("head 1/3", 0, 4), ("head 1/3", 1, 4), ("head 1/3", 2, 4), ("head 1/3", 3, 4),
        ("head 1/3", 4, 4), ("head 2/3", 0, 4),
    ]  # fmt: skip
    assert reports[0].values == {}
    assert reports[1].values == {"loss": 1.0}


def test_the_time_left_leaves_out_the_first_step_which_compiles():
    reports, _ = watched()
    left = [one.seconds_left for one in reports[:6]]
    assert left[:2] == [None, None]
    # Two seconds a step: of 12 steps, 10, 9 and 8 are left, and 8 before the second epoch.
    assert left[2:] == pytest.approx([20, 18, 16, 16])


def test_the_time_left_counts_validation_from_the_second_epoch_on():
    reports, _ = watched()
    third = [one.seconds_left for one in reports if one.work == "head 3/3"]
    assert third == pytest.approx([12, 9, 6, 3, 0])  # 4 steps of 2 s and 4 s of validation


def test_every_epoch_is_a_line_with_its_values_and_the_time_left():
    _, lines = watched()
    assert lines == [
        "head 1/3: loss 0.5000, val_accuracy 0.7500 (40 s; about 16 s left in this phase)",
        "head 2/3: loss 0.5000, val_accuracy 0.7500 (12 s; about 12 s left in this phase)",
        "head 3/3: loss 0.5000, val_accuracy 0.7500 (12 s)",
    ]


def test_an_epoch_of_one_step_tells_no_time_before_it_is_known():
    reports, lines = watched(epochs=2, steps=1)
    assert [one.seconds_left for one in reports[:2]] == [None, None]
    assert "left" not in lines[0]


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.4, "0 s"), (99.4, "99 s"), (100, "2 min"), (5940, "99 min"), (9000, "2 h 30 min")],
)
def test_a_duration_is_shown_in_the_unit_that_fits(seconds, told):
    assert duration(seconds) == told
