"""Training parts of the caller: callbacks, an optimizer and a loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras

from cxr_models.training.part_texts import (
    earlier_text_of,
    lacks_options,
    text_of,
    without_addresses,
)

if TYPE_CHECKING:
    from cxr_models.config import TrainingConfig
    from cxr_models.runs.folder import RunFolder

_SHOWN = 200  # largest number of characters of a description in an error message


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnParts:
    """Callbacks, optimizer and loss of the caller.

    Parameters
    ----------
    callbacks : tuple of keras.callbacks.Callback, default ()
        Further callbacks. Keras calls them in each phase, before the callbacks of this package. A
        learning rate that they set holds until they or a plateau change it, and a resumed run keeps
        it. A phase that they end is not trained further by a resumed run. Their own state is not
        stored. ``BackupAndRestore`` is not allowed.
    optimizer : keras.optimizers.Optimizer or callable, optional
        An optimizer, which is copied for each phase and keeps its own learning rate. Or a function
        from the learning rate of a phase to an optimizer, such as ``keras.optimizers.SGD``. None
        uses Adam.
    loss : str, keras.losses.Loss or callable, optional
        Loss for `keras.Model.compile`. It is not allowed with the setting `positive_weights`. None
        uses the loss of the task.

    Raises
    ------
    TypeError
        If a part has another type.
    ValueError
        If a callback is a ``BackupAndRestore``.
    """

    callbacks: tuple[Any, ...] = ()
    optimizer: Any = None
    loss: Any = None

    def __post_init__(self) -> None:
        for callback in self.callbacks:
            if not isinstance(callback, keras.callbacks.Callback):
                raise TypeError(f"`callbacks` must be Keras callbacks; got {callback!r}.")
            if isinstance(callback, keras.callbacks.BackupAndRestore):
                raise ValueError(
                    "`callbacks` must not have a BackupAndRestore, whose epochs would contradict "
                    "those of the run; got one. Leave it out: the folder of the run has a backup."
                )
        given = self.optimizer
        if not (given is None or isinstance(given, keras.optimizers.Optimizer) or callable(given)):
            raise TypeError(
                "`optimizer` must be a Keras optimizer, or what makes one of a learning rate, such "
                f"as keras.optimizers.SGD; got {given!r}."
            )
        is_loss = isinstance(self.loss, str) or callable(self.loss)
        if self.loss is not None and (not is_loss or isinstance(self.loss, type)):
            raise TypeError(
                f"`loss` must be a Keras loss, its name, or a function of targets and predictions; "
                f"got {self.loss!r}."
            )

    def optimizer_of(self, learning_rate: float) -> Any:
        """Return a new optimizer for a phase that begins with `learning_rate`; Adam by default.

        Raises
        ------
        TypeError
            If the function of the caller does not return an optimizer.
        ValueError
            If the learning rate of the optimizer is a schedule, or the optimizer cannot be copied.
        """
        given = self.optimizer
        if given is None:
            return keras.optimizers.Adam(float(learning_rate))
        if isinstance(given, keras.optimizers.Optimizer):
            if lacks_options(given):
                raise ValueError(
                    "`optimizer` must be of a class whose get_config returns all options, because "
                    f"each phase copies it; got {type(given).__name__}, which has no get_config of "
                    "its own. Add one, or give a function from a learning rate to the optimizer."
                )
            made = type(given).from_config(given.get_config())
        else:
            made = given(float(learning_rate))
        if not isinstance(made, keras.optimizers.Optimizer):
            raise TypeError(
                f"`optimizer` must make a keras.optimizers.Optimizer of a learning rate; got "
                f"{made!r}."
            )
        if isinstance(made.get_config().get("learning_rate"), dict):
            raise ValueError(
                "`optimizer` must have a number as its learning rate, which training lowers at a "
                "plateau; got a schedule. Give the number that it begins with, and "
                "`training.plateau_patience` and `training.plateau_factor`."
            )
        return made

    def described(self, learning_rate: float) -> tuple[str | None, str | None]:
        """Return descriptions of the optimizer and the loss; None for a part that is the default.

        A name of a loss is its own description; `text_of` describes all others.
        """
        optimizer = None
        if self.optimizer is not None:
            optimizer = text_of(self.optimizer_of(learning_rate))
        return optimizer, self._described_loss()

    def _described_earlier(self, learning_rate: float) -> tuple[str | None, str | None]:
        """Return the descriptions that versions before `text_of` stored."""
        optimizer, loss = self.optimizer, self.loss
        if optimizer is not None:
            if not isinstance(optimizer, keras.optimizers.Optimizer):
                optimizer = self.optimizer_of(learning_rate)
            optimizer = earlier_text_of(optimizer)
        if loss is not None and not isinstance(loss, str):
            loss = earlier_text_of(loss)
        return optimizer, loss

    def _described_loss(self) -> str | None:
        if self.loss is None or isinstance(self.loss, str):
            return self.loss
        return text_of(self.loss)

    def check_settings(self, training: TrainingConfig) -> None:
        """Raise ValueError if the settings weight the positives of a loss that is the caller's."""
        if self.loss is not None and training.positive_weights:
            raise ValueError(
                "`loss` is only allowed without training.positive_weights, which weights the "
                f"positives of the default loss only; got {_shown(self._described_loss())}. Weight "
                "positives in your loss and leave training.positive_weights out, or leave `loss` "
                "out."
            )

    def check_resumed(self, folder: RunFolder, learning_rate: float) -> None:
        """Raise ValueError if the run in `folder` was started with another optimizer or loss.

        A backup contains the state of the optimizer, which does not fit another optimizer. For a
        run of an earlier version, the descriptions of that version are compared.
        """
        if not folder.facts_file.exists():
            return
        facts = folder.read_facts()
        is_earlier = facts.precision is None
        given = (self._described_earlier if is_earlier else self.described)(learning_rate)
        for name, new, old in zip(
            ("optimizer", "loss"), given, (facts.optimizer, facts.loss), strict=True
        ):
            if is_earlier and new is not None and old is not None:
                equal = without_addresses(new) == without_addresses(old)
            else:
                equal = new == old
            if not equal:
                raise ValueError(
                    f"`{name}` must be the one that the run in {str(folder.path)!r} was begun "
                    f"with, {_shown(old)}; got {_shown(new)}. Give the same one to go on with the "
                    "run, or name a new folder."
                )


def _shown(text: str | None) -> str:
    if text is None:
        return "the default"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
