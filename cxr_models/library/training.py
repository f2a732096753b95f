"""Train a run on a split: `train`. Build its network without training: `build_classifier`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cxr_models.config import RunConfig
from cxr_models.library.arguments import items_of
from cxr_models.library.own_backbone import with_backbone
from cxr_models.library.run import Run, load_run
from cxr_models.library.warned import warns_beside
from cxr_models.library.wording import says_arguments
from cxr_models.records.splits import Split, read_split

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence

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
    devices: str | Sequence[str] | None = None,
    say: Callable[[str], object] | None = None,
) -> Run:
    """Train a classifier in two phases, or resume the same training after a stop.

    The function does the same as ``cxr-models train``; docs/models.md explains the training.

    Parameters
    ----------
    split : Split, str or PathLike
        Split as `split` or `read_split` returns it, or its file. Its train and val sets are used.
    out : str or PathLike
        Folder of the run. It must be new, or the folder of the same run, which is then resumed.
    config : RunConfig or mapping of str to object, optional
        All settings, or only those that differ from the defaults, such as
        ``{"training.epochs_head": 3}``. None takes the defaults.
    backbone : str or callable, optional
        Name of a backbone, or a function that builds a network without its top, as
        `register_backbone` takes it. It replaces the backbone in `config`.
    preprocess : callable, optional
        Function that prepares RGB images with values 0..255 for the network. It is required if
        `backbone` is a function, and not allowed otherwise.
    callbacks : sequence of keras.callbacks.Callback, default ()
        Callbacks for each phase. They are called before the callbacks that store the run. A
        learning rate that they set holds until they or a plateau change it. ``BackupAndRestore``
        is not allowed.
    optimizer : keras.optimizers.Optimizer or callable, optional
        An optimizer, or a function that takes the learning rate of a phase and returns an
        optimizer, such as ``keras.optimizers.SGD``. An optimizer is copied for each phase and keeps
        its own learning rate. None takes Adam. On a plateau of the validation result the learning
        rate is lowered in each of these cases.
    loss : str, keras.losses.Loss or callable, optional
        Loss of the targets, as `Split.to_tf` yields them, and the predicted probabilities. None
        takes the cross-entropy.
    devices : str or sequence of str, optional
        Devices that share each batch. None takes all GPUs.
    say : callable, optional
        Function that is called with lines of text about the progress, such as `print`.

    Returns
    -------
    Run
        The run, with the weights of the best epoch: the epoch with the highest validation
        accuracy, or with the lowest validation loss if the run has several findings.

    Raises
    ------
    TypeError, ValueError
        If an argument or a setting is not allowed, an image cannot be read, or the folder holds
        another run or a run with another optimizer or loss.
    ImportError
        If the extra ``models`` is not installed.
    OSError
        If files cannot be read or written, or weights cannot be downloaded.

    Warns
    -----
    UserWarning
        If the weights come from a run that has seen near copies of images of val or test, or their
        patients, or if a run behind the weights is gone.

    Notes
    -----
    Call the function again with the same arguments to resume a training that was stopped. It
    continues after the last complete epoch, with the stored state of the optimizer; so another
    optimizer or loss is refused. The state of `callbacks` is not stored, so a callback that counts
    epochs begins to count again. Stored are the learning rate, and the end of a phase that a
    callback has stopped. If the training of the run has ended, the run is loaded and not trained
    again.

    Examples
    --------
    >>> import cxr_models as cxm
    >>> split = cxm.read_split("split.csv")
    >>> settings = {"model.weights": "none", "training.epochs_head": 1, "data.image_size": (64, 48)}
    >>> run = cxm.train(split, out="runs/b", config=settings)
    >>> run.class_names, len(run.history)
    (('covid', 'normal'), 1)
    """
    tell = warns_beside(say)
    divided = split if isinstance(split, Split) else read_split(split)
    settings = with_backbone(RunConfig.made_of(config), backbone, preprocess)
    from cxr_models.training.checks import check_given_epochs, check_run

    if isinstance(config, Mapping):
        check_given_epochs(config, settings)
    check_run(divided, settings, out)
    from cxr_models.training.own_parts import OwnParts
    from cxr_models.training.train import train as train_run

    own = OwnParts(callbacks=tuple(callbacks), optimizer=optimizer, loss=loss)
    used = None if devices is None else items_of(devices)
    train_run(divided, settings, out, own=own, devices=used, say=tell)
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
    """Build the network of a run for your own training loop.

    Parameters
    ----------
    num_classes : int
        Number of labels, at least 2.
    config : RunConfig or mapping of str to object, optional
        Settings, as for `train`. The network depends on image size, augmentation, backbone, task,
        weights, recipe and seed.
    backbone, preprocess : optional
        As for `train`.
    steps_per_epoch : int, default 1
        Number of training steps in an epoch. For training from scratch it determines the momentum
        of batch normalization.

    Returns
    -------
    keras.Model
        A model that takes uint8 images of shape (N, H, W, C), as `Split.to_tf` yields them, and
        returns probabilities of shape (N, num_classes), or (N, 1) for the task ``binary``. It
        contains augmentation and preprocessing; call it with ``training=False`` to predict.

    Raises
    ------
    TypeError, ValueError
        If a setting is not allowed, or `backbone` does not return a suitable network.
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
