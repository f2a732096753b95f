"""From a split to a run: `train`, and the network alone: `build_classifier`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from cxr_models.config import RunConfig
from cxr_models.library.own_backbone import with_backbone
from cxr_models.library.run import Run, load_run
from cxr_models.library.wording import says_arguments
from cxr_models.records.splits import Split, read_split
from cxr_models.runs.folder import RunFolder

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping, Sequence

    import keras


@says_arguments(RUN="out")
def train(
    split: Split | str | os.PathLike[str],
    *,
    out: str | os.PathLike[str],
    config: RunConfig | Mapping[str, object] | None = None,
    backbone: str | Callable[..., Any] | None = None,
    preprocess: Callable[[Any], Any] | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    optimizer: keras.optimizers.Optimizer
    | Callable[[float], keras.optimizers.Optimizer]
    | None = None,
    loss: str | keras.losses.Loss | Callable[[Any, Any], Any] | None = None,
    devices: Sequence[str] | None = None,
    say: Callable[[str], object] | None = None,
) -> Run:
    """Train a classifier in two phases, or go on where the same training was stopped.

    Does what ``cxr-models train`` does; docs/models.md tells how.

    Parameters
    ----------
    split : Split, str or PathLike
        What `split` or `read_split` returned, or a file of it; train and val are used.
    out : str or PathLike
        Folder of the run: new, or that of the same run, to go on with it.
    config : RunConfig or mapping of str to object, optional
        All settings; or changes of the defaults, as in ``{"training.epochs_head": 3}``.
    backbone : str or callable, optional
        The name of a network; or a function that builds one without its top, as `register_backbone`
        takes it. Wins over that of `config`.
    preprocess : callable, optional
        With a function as `backbone`: from RGB 0..255 to what it takes.
    callbacks : sequence of keras.callbacks.Callback, default ()
        Called in each phase, after the project's own, which keep the run.
    optimizer : keras.optimizers.Optimizer or callable, optional
        An optimizer, which is copied for each phase and keeps its own learning rate; or a function
        from the learning rate of a phase to an optimizer, such as ``keras.optimizers.SGD``. None:
        Adam. The learning rate is lowered at a plateau in any case.
    loss : str, keras.losses.Loss or callable, optional
        Of the targets, as `Split.to_tf` gives them, and the probabilities. None: cross-entropy.
    devices : sequence of str, optional
        Devices that share each batch; None takes all GPUs.
    say : callable, optional
        Called with lines on the progress, such as `print`.

    Returns
    -------
    Run
        With the weights of the best epoch: by validation accuracy, or by validation loss with
        several findings.

    Raises
    ------
    TypeError, ValueError
        If an argument or a setting does not fit, an image cannot be read, or the folder is that of
        another run, or of one with another optimizer or loss.
    ImportError
        If the extra ``models`` is not installed.
    OSError
        If files cannot be read or written, or weights not be downloaded.

    Notes
    -----
    A run that was stopped goes on after its last whole epoch with the same arguments. It keeps the
    numbers of its optimizer, so another optimizer or loss is refused. Callbacks begin anew: what
    they had counted is lost. A run that has ended is loaded, and not trained again.

    Examples
    --------
    >>> import cxr_models as cxm
    >>> split = cxm.read_split("split.csv")
    >>> settings = {"model.weights": "none", "training.epochs_head": 1, "data.image_size": (64, 48)}
    >>> run = cxm.train(split, out="runs/b", config=settings)
    >>> run.class_names, len(run.history)
    (('covid', 'normal'), 1)
    """
    divided = split if isinstance(split, Split) else read_split(split)
    settings = with_backbone(RunConfig.made_of(config), backbone, preprocess)
    from cxr_models.training.checks import check_run

    check_run(divided, settings, out)
    from cxr_models.training.curves import write_curves
    from cxr_models.training.own_parts import OwnParts
    from cxr_models.training.train import train as train_model

    own = OwnParts(callbacks=tuple(callbacks), optimizer=optimizer, loss=loss)
    folder = RunFolder(path=Path(out))
    own.check_resumed(folder, settings.training.learning_rate_head)
    if not folder.best_weights.is_file():
        train_model(divided, settings, out, own=own, devices=devices, say=say)
        write_curves(folder.curves_file, folder.read_history())
    return load_run(out)


@says_arguments()
def build_classifier(
    num_classes: int,
    *,
    config: RunConfig | Mapping[str, object] | None = None,
    backbone: str | Callable[..., Any] | None = None,
    preprocess: Callable[[Any], Any] | None = None,
    steps_per_epoch: int = 1,
) -> keras.Model:
    """Build the network of a run, for a training of your own.

    Parameters
    ----------
    num_classes : int
        Number of labels, at least 2.
    config : RunConfig or mapping of str to object, optional
        As for `train`: size, augmentation, backbone, task, weights, recipe and seed are used.
    backbone, preprocess : optional
        As for `train`.
    steps_per_epoch : int, default 1
        From scratch, the momentum of batch normalization follows from this number.

    Returns
    -------
    keras.Model
        From uint8 images (N, H, W, C), as `Split.to_tf` gives them, to probabilities:
        (N, num_classes), or (N, 1) for ``binary``. Augmentation and preprocessing are inside: call
        it with ``training=False`` where it is not trained.

    Raises
    ------
    TypeError, ValueError
        If a setting or the network does not fit.
    ImportError
        If Keras is not installed.
    OSError
        If weights cannot be downloaded or read.

    Examples
    --------
    >>> import cxr_models as cxm
    >>> model = cxm.build_classifier(
    ...     2, config={"model.weights": "none", "data.image_size": (64, 48)}
    ... )
    >>> model.input.shape, model.output.shape
    ((None, 64, 48, 1), (None, 2))
    """
    settings = with_backbone(RunConfig.made_of(config), backbone, preprocess)
    from cxr_models.networks.classifier import build_classifier as build

    return build(settings, num_classes, steps_per_epoch=steps_per_epoch)
