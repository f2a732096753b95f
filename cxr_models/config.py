"""Every setting of a training run: frozen records that check themselves, from JSON and TOML.

The only place where a default of training is written. Imports no framework.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
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

# Radiographs seldom have longer sides: beyond that a model is shown what resizing made up, and a
# batch exceeds most memories. A slip of the hand, such as 224224, is told before training.
MAX_SIDE = 4096

# The options of enhancement before `num_bins` and `bits`, all of which a run has always stored.
_BEFORE_NUM_BINS = frozenset(EnhanceParams().to_dict()) - {"num_bins", "bits"}

Order = Literal["resize-first", "enhance-first"]
Fit = Literal["squash", "pad", "crop"]
Task = Literal["multiclass", "binary", "multilabel"]
Uncertain = Literal["unknown", "absent", "present"]
Recipe = Literal["corrected", "study"]
Precision = Literal["auto", "float32", "mixed_float16", "mixed_bfloat16"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DataConfig(Section):
    """How files become batches.

    Parameters
    ----------
    image_size : (int, int), default (224, 224)
        Height and width the model sees, in pixels; from 32 to 4096.
    fit : {"squash", "pad", "crop"}, default "squash"
        How images of another aspect come to that size: each axis by itself, as in the study; the
        aspect kept and the rest black; or the aspect kept and the ends cut off.
    crop_border : bool, default False
        Whether a uniform frame and what a collimator shades are cut off before anything else.
    order : {"resize-first", "enhance-first"}, default "resize-first"
        Whether images are resized before enhancement, as in the study, or after it.
    enhance : EnhanceParams or None
        The enhancement; default the study's. None leaves it out: the study's other arm.
    flip : bool, default True
        Whether training images are flipped at random, left to right.
    rotation : float, default 0.1
        Largest random rotation of training images as a share of a full turn; 0 for none.
    cache_dir : str or None, default None
        Folder for decoded and enhanced images, kept between runs; None keeps none.
    deterministic : bool, default False
        Whether TensorFlow adds numbers up in a fixed order, at some cost in speed: equal seeds then
        give equal bytes on the CPU. Order and augmentation of images follow from the seed anyway.
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
        """Channels of a batch: one after enhancement, three (RGB) without it."""
        return 3 if self.enhance is None else 1

    @property
    def preparation(self) -> Preparation:
        """What is done to each image, but for the three channels of one without enhancement."""
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
        """Return the enhancement that a run stored, or that somebody typed.

        `EnhanceParams.from_dict` takes settings without `num_bins` for those of a time before it.
        What was stored then has all other names; where some are missing, each has its default.
        """
        if "num_bins" in settings or settings.keys() >= _BEFORE_NUM_BINS:
            return EnhanceParams.from_dict(dict(settings))
        shift = {"bit_shift": settings["bit_shift"]} if "bit_shift" in settings else {}
        return EnhanceParams.from_dict({"num_bins": EnhanceParams(**shift).num_bins, **settings})


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig(Section):
    """Which network, for which question, from which weights.

    Parameters
    ----------
    backbone : str, default "nasnet_mobile"
        A row of `cxr_models.backbones.BACKBONES`, or what `register_backbone` was given.
    task : {"multiclass", "binary", "multilabel"}, default "multiclass"
        All labels, one label against the rest, or several findings, each present or absent.
    positive_class : str, default "covid"
        That label, for ``binary``.
    weights : str, default "imagenet"
        ``imagenet``, ``none``, or the path of a ``.h5``, ``.weights.h5`` or ``.keras`` file.
    findings : tuple of str, default ()
        Those findings, for ``multilabel``: columns ``finding:NAME`` of the split.
    uncertain : {"unknown", "absent", "present"}, default "unknown"
        What an uncertain finding counts as in training, for ``multilabel``; unknown labels are
        left out of the loss. In evaluations uncertain findings are unknown, and left out.
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
    """The schedule: the study's, unless said otherwise.

    Parameters
    ----------
    recipe : {"corrected", "study"}, default "corrected"
        Whether the backbone gets the inputs it was pretrained on, or those of the study.
    epochs_head, epochs_fine_tune : int, default 50 and 30
        Epochs of the two phases. From scratch there is one phase, of `epochs_head`.
    learning_rate_head, learning_rate_fine_tune : float, default 1e-3 and 1e-4
        Of Adam, in the two phases.
    batch_size : int, default 64
        Images a step, over all devices.
    patience : int, default 20
        Epochs without better validation accuracy after which a phase ends.
    plateau_patience, plateau_factor, min_learning_rate : int, float, float
        After 8 such epochs the learning rate is multiplied by 0.1, down to 2e-6.
    class_weights : bool, default False
        Whether labels weigh in inverse proportion to their number; not for ``multilabel``.
    positive_weights : bool, default False
        Whether the positives of each finding weigh as much as its negatives, for ``multilabel``;
        a positive weighs at most as much as 20 negatives.
    cache_features : int, default 0
        Augmented views of each image whose features are kept for the frozen phase; 0 keeps none.
    precision : {"auto", "float32", "mixed_float16", "mixed_bfloat16"}, default "auto"
        ``auto`` is ``mixed_float16`` on GPUs and ``float32`` elsewhere.
    seed : int, default 0
        Of initial weights, order, augmentation and dropout.
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
        if self.seed >= 2**32:  # Keras takes no larger one
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
    """All settings of a run.

    Parameters
    ----------
    data : DataConfig
        How files become batches.
    model : ModelConfig
        Which network, for which question.
    training : TrainingConfig
        The schedule.

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
        """Return settings as functions take them: a record, changes of the defaults, or None.

        Parameters
        ----------
        config : RunConfig, mapping of str to object, or None
            A mapping names settings as `with_setting` does, such as
            ``{"training.epochs_head": 3}``; None is the defaults.

        Raises
        ------
        TypeError
            If `config` is something else.
        TypeError, ValueError
            As `with_settings` raises.
        """
        if isinstance(config, RunConfig):
            return config
        if config is not None and not isinstance(config, Mapping):
            raise TypeError(
                "`config` must be a RunConfig, a mapping of settings such as "
                f"{{'training.epochs_head': 3}}, or None; got {config!r}."
            )
        # A text is meant as it stands, though it looks like JSON.
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
            If `text` is not one JSON object, or as `from_dict` does.
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
            If `text` is not TOML, or as `from_dict` does.
        """
        try:
            settings = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise ValueError(f"`text` must be TOML; got: {error}.") from error
        except RecursionError as error:
            raise ValueError("`text` must be TOML; got: it is nested too deep.") from error
        return cls.from_dict(_none_back(settings))

    def with_setting(self, name: str, value: object) -> RunConfig:
        """Return a copy with one setting changed.

        Parameters
        ----------
        name : str
            Section and setting, as in ``data.rotation`` or ``data.enhance.clip_limit``.
        value : object
            Its value; a str is read as JSON where it is JSON.

        Raises
        ------
        TypeError, ValueError
            If there is no such setting or the value does not fit.
        """
        return self.with_settings([(name, value)])

    def with_settings(self, changes: Iterable[tuple[str, object]]) -> RunConfig:
        """Return a copy with several settings changed, which are checked together.

        Parameters
        ----------
        changes : iterable of (str, object)
            Names and values as for `with_setting`; a later change wins.

        Raises
        ------
        TypeError, ValueError
            If there is no such setting, a value does not fit, or values do not fit together.
        """
        settings = self.to_dict()
        for name, value in changes:
            _change(settings, name, value)
        return self.from_dict(settings)


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
        if name in names:  # of a section that is None
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
    """Raise unless `findings` are different names that columns and calls can be named by."""
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


def _none_back(settings: Any, name: str = "") -> Any:
    if isinstance(settings, dict):
        return {
            key: _none_back(value, f"{name}.{key}" if name else key)
            for key, value in settings.items()
        }
    return None if name in _OPTIONAL and settings == "none" else settings
