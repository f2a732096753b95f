"""The settings of a training run, as frozen records that are read from JSON or TOML.

Each record checks its values when it is made. The defaults of training are written in this module
and nowhere else. The module imports no framework.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import Any, ClassVar, Literal, get_args

from cxr_enhance import EnhanceParams, Preparation
from cxr_models._json import parse_json
from cxr_models._settings import (
    Section,
    check_bool,
    check_choice,
    check_number,
    is_int,
    setting_names,
    suggestion,
)
from cxr_models.backbones import check_backbone

# Few radiographs have a side of more than 4096 pixels. A larger `image_size` adds only interpolated
# pixels, and a batch needs more memory than most machines have. The limit also catches typing
# errors such as 224224 before training starts.
MAX_SIDE = 4096

NO_WEIGHTS_FILE = ("imagenet", "none")  # values of the setting ``model.weights`` that are no file

# Names of the enhancement options that existed before `num_bins` and `bits`. Every stored run has
# all of them.
_BEFORE_NUM_BINS = frozenset(EnhanceParams().to_dict()) - {"num_bins", "bits"}

Order = Literal["resize-first", "enhance-first"]
Fit = Literal["squash", "pad", "crop"]
Task = Literal["multiclass", "binary", "multilabel"]
Uncertain = Literal["unknown", "absent", "present"]
Recipe = Literal["corrected", "study"]
Precision = Literal["auto", "float32", "mixed_float16", "mixed_bfloat16"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DataConfig(Section):
    """Settings of the input pipeline, which turns image files into batches.

    Parameters
    ----------
    image_size : (int, int), default (224, 224)
        Height and width of the images that the model gets, in pixels; each from 32 to 4096.
    fit : {"squash", "pad", "crop"}, default "squash"
        How an image with another aspect ratio is brought to `image_size`. "squash" scales height
        and width independently, as in the study. "pad" keeps the aspect ratio and fills the rest
        with black. "crop" keeps the aspect ratio and cuts off, at both ends, what does not fit.
    crop_border : bool, default False
        Whether a uniform frame and the area shaded by a collimator are cut off before all other
        steps.
    order : {"resize-first", "enhance-first"}, default "resize-first"
        Whether images are resized before the enhancement, as in the study, or after it.
    enhance : EnhanceParams or None
        Options of the enhancement. The default is the enhancement of the study. None leaves the
        enhancement out, as in the other arm of the study.
    flip : bool, default True
        Whether training images are flipped at random, left to right.
    rotation : float, default 0.1
        Largest random rotation of training images, as a fraction of a full turn; 0 turns rotation
        off.
    cache_dir : str or None, default None
        Folder for decoded and enhanced images, which later runs read again. None caches nothing.
    deterministic : bool, default False
        Whether TensorFlow adds numbers in a fixed order, which is somewhat slower. Equal seeds then
        give equal bytes on the CPU. The order and the augmentation of images depend on the seed
        alone, with either value.
    """

    _NESTED: ClassVar[Mapping[str, Any]] = {"enhance": EnhanceParams}

    image_size: tuple[int, int] = (224, 224)
    fit: Fit = "squash"
    crop_border: bool = False
    order: Order = "resize-first"
    enhance: EnhanceParams | None = field(default_factory=EnhanceParams)
    flip: bool = True
    rotation: float = 0.1
    cache_dir: str | None = None
    deterministic: bool = False

    def __post_init__(self) -> None:
        size = self.image_size
        if not isinstance(size, tuple) or len(size) != 2 or not all(map(is_int, size)):
            raise TypeError(f"`image_size` must be two ints (height, width); got {size!r}.")
        if min(size) < 32:
            raise ValueError(f"`image_size` must be at least (32, 32); got {size!r}.")
        if max(size) > MAX_SIDE:
            raise ValueError(
                f"`image_size` must be at most ({MAX_SIDE}, {MAX_SIDE}); got {size!r}. "
                "Give height and width in pixels."
            )
        check_choice("fit", self.fit, ("squash", "pad", "crop"))
        check_bool("crop_border", self.crop_border)
        check_choice("order", self.order, ("resize-first", "enhance-first"))
        if self.enhance is not None and not isinstance(self.enhance, EnhanceParams):
            raise TypeError(f"`enhance` must be EnhanceParams or None; got {self.enhance!r}.")
        if self.enhance is not None and (
            self.enhance.output != "gray" or self.enhance.channel_order != "rgb"
        ):
            raise ValueError(
                "`enhance` must have output 'gray' and channel_order 'rgb', the order files are "
                f"read in; got {self.enhance.output!r} and {self.enhance.channel_order!r}."
            )
        check_bool("flip", self.flip)
        check_number("rotation", self.rotation, 0.0, 0.5)
        if self.cache_dir is not None and not isinstance(self.cache_dir, str):
            raise TypeError(f"`cache_dir` must be a str or None; got {self.cache_dir!r}.")
        check_bool("deterministic", self.deterministic)

    @property
    def channels(self) -> int:
        """Number of channels of a batch: 1 with enhancement, 3 (RGB) without it."""
        return 3 if self.enhance is None else 1

    @property
    def preparation(self) -> Preparation:
        """Options of :func:`cxr_enhance.prepare` for each image.

        Without enhancement the pipeline also converts gray images to three channels, which these
        options do not state.
        """
        return Preparation(
            params=self.enhance,
            size=self.image_size,
            fit=self.fit,
            crop_border=self.crop_border,
            order=self.order,
            interpolation="linear",
            dtype="uint8",
        )

    @classmethod
    def section_from(cls, name: str, settings: Mapping[str, Any]) -> EnhanceParams:
        """Return the enhancement from the settings of a stored run or of a user.

        Old runs were stored before the option `num_bins` existed: they lack it, and have all other
        options of that time. `EnhanceParams.from_dict` then sets `num_bins` to None. If one of
        those other options is missing too, a user wrote the settings, and each missing option takes
        its default.
        """
        if "num_bins" in settings or settings.keys() >= _BEFORE_NUM_BINS:
            return EnhanceParams.from_dict(dict(settings))
        shift = {"bit_shift": settings["bit_shift"]} if "bit_shift" in settings else {}
        return EnhanceParams.from_dict({"num_bins": EnhanceParams(**shift).num_bins, **settings})


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig(Section):
    """Settings of the network: its backbone, its task and its first weights.

    Parameters
    ----------
    backbone : str, default "nasnet_mobile"
        Name of a backbone in `cxr_models.backbones.BACKBONES`, or a name that was registered with
        `register_backbone`.
    task : {"multiclass", "binary", "multilabel"}, default "multiclass"
        What the network predicts. "multiclass": one of all labels. "binary": one label against all
        other labels. "multilabel": several findings, each present or absent.
    positive_class : str, default "covid"
        Label that is the positive class with the task "binary".
    weights : str, default "imagenet"
        Weights before training: ``imagenet``, ``none`` (random weights), or the path of a ``.h5``,
        ``.weights.h5`` or ``.keras`` file.
    findings : tuple of str, default ()
        Names of the findings that the task "multilabel" predicts. Each name NAME needs a column
        ``finding:NAME`` in the split.
    uncertain : {"unknown", "absent", "present"}, default "unknown"
        How an uncertain finding counts in training with the task "multilabel". Unknown labels are
        left out of the loss. Evaluations always treat uncertain findings as unknown and leave them
        out.
    """

    backbone: str = "nasnet_mobile"
    task: Task = "multiclass"
    positive_class: str = "covid"
    weights: str = "imagenet"
    findings: tuple[str, ...] = ()
    uncertain: Uncertain = "unknown"

    def __post_init__(self) -> None:
        check_backbone(self.backbone)
        check_choice("task", self.task, get_args(Task))
        for name in ("positive_class", "weights"):
            if not isinstance(getattr(self, name), str) or not getattr(self, name):
                raise TypeError(f"`{name}` must be a str; got {getattr(self, name)!r}.")
        check_choice("uncertain", self.uncertain, get_args(Uncertain))
        _check_findings(self.findings)
        if self.task == "multilabel" and not self.findings:
            raise ValueError(
                "`findings` must name at least one finding with task multilabel; got none. Name "
                "columns finding:NAME of the split: --findings NAME,NAME."
            )
        if self.task != "multilabel":
            if self.findings:
                raise ValueError(
                    "`findings` is only allowed with task multilabel; got "
                    f"{', '.join(self.findings)} and task {self.task}. Give --task multilabel."
                )
            if self.uncertain != "unknown":
                raise ValueError(
                    f"`uncertain` is only allowed with task multilabel; got {self.uncertain!r} "
                    f"and task {self.task}. Give --task multilabel."
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingConfig(Section):
    """Settings of the training schedule.

    Parameters
    ----------
    recipe : {"corrected", "study"}, default "corrected"
        Which pixel values the backbone gets. "corrected" scales them as in the pretraining of the
        backbone; "study" scales them as the study did.
    epochs_head, epochs_fine_tune : int, default 50 and 30
        Largest number of epochs of the two phases: training of the head, then fine-tuning. With
        weights "none" there is one phase, of at most `epochs_head` epochs.
    learning_rate_head, learning_rate_fine_tune : float, default 1e-3 and 1e-4
        Learning rates of Adam at the start of the two phases.
    batch_size : int, default 64
        Number of images of a training step, over all devices together.
    patience : int, default 20
        A phase ends after this number of epochs without a better validation accuracy. With the task
        "multilabel" the validation loss is compared instead.
    plateau_patience, plateau_factor, min_learning_rate : int, float, float
        After `plateau_patience` epochs without improvement (default 8), the learning rate is
        multiplied by `plateau_factor` (default 0.1). It never falls below `min_learning_rate`
        (default 2e-6).
    class_weights : bool, default False
        Whether each label is weighted in inverse proportion to its number of images. Not allowed
        with the task "multilabel".
    positive_weights : bool, default False
        Whether positives are weighted so that the positives of each finding count as much as its
        negatives. A positive counts at most as much as 20 negatives. Only allowed with the task
        "multilabel".
    cache_features : int, default 0
        Number of augmented views of each image whose backbone features are computed once and kept
        for the phase with the frozen backbone. 0 keeps no features.
    precision : {"auto", "float32", "mixed_float16", "mixed_bfloat16"}, default "auto"
        Precision of the computation. "auto" is "mixed_float16" if the backend of Keras computes on
        a GPU of CUDA or ROCm, and "float32" elsewhere. A resumed run keeps the precision that it
        began with, on any machine.
    seed : int, default 0
        Seed of the initial weights, the order of images, the augmentation and the dropout.
    """

    recipe: Recipe = "corrected"
    epochs_head: int = 50
    epochs_fine_tune: int = 30
    learning_rate_head: float = 1e-3
    learning_rate_fine_tune: float = 1e-4
    batch_size: int = 64
    patience: int = 20
    plateau_patience: int = 8
    plateau_factor: float = 0.1
    min_learning_rate: float = 2e-6
    class_weights: bool = False
    positive_weights: bool = False
    cache_features: int = 0
    precision: Precision = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        check_choice("recipe", self.recipe, ("corrected", "study"))
        for name, low in (
            ("epochs_head", 0),
            ("epochs_fine_tune", 0),
            ("batch_size", 1),
            ("patience", 1),
            ("plateau_patience", 1),
            ("cache_features", 0),
            ("seed", 0),
        ):
            value = getattr(self, name)
            if not is_int(value):
                raise TypeError(f"`{name}` must be an int; got {value!r}.")
            if value < low:
                raise ValueError(f"`{name}` must be at least {low}; got {value!r}.")
        if self.seed >= 2**32:  # Keras accepts no larger seed
            raise ValueError(f"`seed` must be less than 2**32; got {self.seed!r}.")
        for name in ("learning_rate_head", "learning_rate_fine_tune", "min_learning_rate"):
            check_number(name, getattr(self, name), 0.0, 1.0)
        check_number("plateau_factor", self.plateau_factor, 0.0, 0.999)
        check_bool("class_weights", self.class_weights)
        check_bool("positive_weights", self.positive_weights)
        check_choice(
            "precision", self.precision, ("auto", "float32", "mixed_float16", "mixed_bfloat16")
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConfig(Section):
    """All settings of a training run.

    Parameters
    ----------
    data : DataConfig
        Settings of the input pipeline.
    model : ModelConfig
        Settings of the network.
    training : TrainingConfig
        Settings of the training schedule.

    Examples
    --------
    >>> from cxr_models import RunConfig
    >>> config = RunConfig().with_setting("training.epochs_head", "3")
    >>> RunConfig.from_json(config.to_json()) == config
    True
    """

    _NESTED: ClassVar[Mapping[str, Any]] = {
        "data": DataConfig,
        "model": ModelConfig,
        "training": TrainingConfig,
    }

    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)

    def __post_init__(self) -> None:
        for name, section in self._NESTED.items():
            value = getattr(self, name)
            if not isinstance(value, section):
                raise TypeError(f"`{name}` must be {section.__name__}; got {value!r}.")

    @classmethod
    def made_of(cls, config: RunConfig | Mapping[str, object] | None) -> RunConfig:
        """Return a record from the argument `config` of a public function.

        Parameters
        ----------
        config : RunConfig, mapping of str to object, or None
            A record is returned unchanged. A mapping changes settings of the defaults; its keys
            name settings as in `with_setting`, such as ``{"training.epochs_head": 3}``. None gives
            the defaults.

        Raises
        ------
        TypeError
            If `config` has another type.
        TypeError, ValueError
            If `with_settings` raises it.
        """
        if isinstance(config, RunConfig):
            return config
        if config is not None and not isinstance(config, Mapping):
            raise TypeError(
                "`config` must be a RunConfig, a mapping of settings such as "
                f"{{'training.epochs_head': 3}}, or None; got {config!r}."
            )
        # A str in a mapping is a str value, even if it looks like JSON.
        return cls().with_settings(
            (name, json.dumps(value) if isinstance(value, str) else value)
            for name, value in (config or {}).items()
        )

    def to_json(self) -> str:
        """Return the settings as one JSON object."""
        return json.dumps(self.to_dict(), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> RunConfig:
        """Make a record from the JSON object in `text`.

        Raises
        ------
        TypeError, ValueError
            If `text` is not one JSON object, or if `from_dict` raises it.
        """
        try:
            settings = parse_json(text)
        except ValueError as error:
            raise ValueError(f"`text` must be JSON; got: {error}.") from error
        return cls.from_dict(settings)

    @classmethod
    def from_toml(cls, text: str) -> RunConfig:
        """Make a record from TOML.

        Raises
        ------
        TypeError, ValueError
            If `text` is not TOML, or if `from_dict` raises it.
        """
        try:
            settings = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise ValueError(f"`text` must be TOML; got: {error}.") from error
        except RecursionError as error:
            raise ValueError("`text` must be TOML; got: it is nested too deep.") from error
        return cls.from_dict(_restore_none(settings))

    def with_setting(self, name: str, value: object) -> RunConfig:
        """Return a copy with one setting changed.

        Parameters
        ----------
        name : str
            Section and setting, such as ``data.rotation`` or ``data.enhance.clip_limit``.
        value : object
            New value of the setting. A str that is valid JSON is parsed as JSON. For a setting
            that allows None, the str ``none`` is None.

        Raises
        ------
        TypeError, ValueError
            If there is no setting `name`, or if the setting does not allow `value`.
        """
        return self.with_settings([(name, value)])

    def with_settings(self, changes: Iterable[tuple[str, object]]) -> RunConfig:
        """Return a copy with several settings changed.

        The settings are checked after all changes are made.

        Parameters
        ----------
        changes : iterable of (str, object)
            Names and values of settings, as for `with_setting`. If a name occurs twice, the later
            value counts.

        Raises
        ------
        TypeError, ValueError
            If a name is unknown, a setting does not allow its value, or two values contradict each
            other.
        """
        settings = self.to_dict()
        for name, value in changes:
            _change(settings, name, value)
        return self.from_dict(settings)


def with_absolute_weights(config: RunConfig) -> RunConfig:
    """Return the settings with an absolute path of the weights file, if they name one.

    The absolute path is stored in the folder of a run, where it names the same file from every
    working folder.
    """
    weights = config.model.weights
    if weights in NO_WEIGHTS_FILE or os.path.isabs(weights):
        return config
    return replace(config, model=replace(config.model, weights=os.path.abspath(weights)))


def with_named_weights(config: RunConfig, sha256: str | None) -> RunConfig:
    """Return the settings with the name and the hash of the weights file instead of its path.

    These settings are equal for every path of the same file, and they differ for files of other
    content that have the same name, such as the ``best.weights.h5`` of two runs.

    Parameters
    ----------
    config : RunConfig
        The settings of a run.
    sha256 : str or None
        SHA-256 of the weights file, of which 8 digits are shown; None if it is unknown.
    """
    weights = config.model.weights
    if weights in NO_WEIGHTS_FILE:
        return config
    name = PurePath(weights).name + (f", SHA-256 {sha256[:8]}" if sha256 else "")
    return replace(config, model=replace(config.model, weights=name))


def _change(settings: dict[str, Any], name: str, value: object) -> None:
    """Change one setting in the dictionary of a `RunConfig`."""
    if isinstance(value, str):
        try:
            value = parse_json(value)
        except ValueError:
            value = None if name in _OPTIONAL and value == "none" else value
    *sections, last = name.split(".")
    target: Any = settings
    kind: Any = RunConfig
    for section in sections:
        target = target.get(section) if isinstance(target, dict) else None
        kind = getattr(kind, "_NESTED", {}).get(section)
    if not isinstance(target, dict) or last not in target:
        names = setting_names(RunConfig)
        if name in names:  # the setting belongs to a section that is None
            raise ValueError(
                f"`{name}` is only allowed with enhancement; got {value!r} and an "
                "`enhance` of None."
            )
        listed = f" The settings are {', '.join(names)}."
        raise ValueError(
            f"`name` must be section.setting, such as training.epochs_head; got {name!r}."
            f"{suggestion(name, names) or listed}"
        )
    if isinstance(value, dict) and last in getattr(kind, "_NESTED", {}):
        value = kind.section_from(last, value).to_dict()  # settings left out take their defaults
    target[last] = value


def _check_findings(findings: object) -> None:
    """Raise unless `findings` is a tuple of different names that a column name can contain."""
    if not isinstance(findings, tuple) or not all(isinstance(name, str) for name in findings):
        raise TypeError(
            f"`findings` must be a tuple of str; got {findings!r}. In JSON and TOML write a list: "
            '["NAME", "NAME"].'
        )
    for name in findings:
        if not name.isprintable() or name != name.strip() or not name or ";" in name:
            raise ValueError(
                "`findings` must be printable names without semicolons and blanks around them; "
                f"got {name!r}. Rename the column of the manifest."
            )
        if findings.count(name) > 1:
            raise ValueError(f"`findings` must name each finding once; got {name!r} twice.")


_OPTIONAL = (
    "data.enhance",
    "data.cache_dir",
    "data.enhance.percentiles",
    "data.enhance.clip_limit",
    "data.enhance.num_bins",
    "data.enhance.bits",
)


def _restore_none(settings: Any, name: str = "") -> Any:
    if isinstance(settings, dict):
        return {
            key: _restore_none(value, f"{name}.{key}" if name else key)
            for key, value in settings.items()
        }
    return None if name in _OPTIONAL and settings == "none" else settings
