import pytest

from cxr_enhance import EnhanceParams, Preparation
from cxr_models import DataConfig, ModelConfig, RunConfig, TrainingConfig
from cxr_models.config import with_named_weights

CONFIGS = [
    RunConfig(),
    RunConfig(
        data=DataConfig(enhance=None, image_size=(96, 128), cache_dir='C:\\a "b"', flip=False),
        model=ModelConfig(backbone="resnet101", task="binary", weights="none"),
        training=TrainingConfig(recipe="study", epochs_head=3, learning_rate_head=0.01),
    ),
    RunConfig(data=DataConfig(enhance=EnhanceParams(percentiles=None, tile_grid_size=(4, 8)))),
    RunConfig(
        model=ModelConfig(task="multilabel", findings=("Nodule/Mass", "Edema"), uncertain="absent"),
        training=TrainingConfig(positive_weights=True),
    ),
]


def findings_of(*names):
    return ModelConfig(task="multilabel", findings=names)


@pytest.mark.parametrize("config", CONFIGS)
def test_configs_survive_json(config):
    again = RunConfig.from_json(config.to_json())
    assert again == config
    assert hash(again) == hash(config)


def test_a_toml_file_may_name_some_settings_only():
    config = RunConfig.from_toml('[data]\nenhance = "none"\n[training]\nbatch_size = 8\n')
    assert config.data.enhance is None
    assert config.data.channels == 3
    assert config.training == TrainingConfig(batch_size=8)


def test_one_setting_is_changed_by_its_name():
    config = RunConfig().with_setting("data.enhance.clip_limit", "4.5")
    assert config.data.enhance == EnhanceParams(clip_limit=4.5)
    assert config.with_setting("data.enhance", "none").data.enhance is None
    assert config.with_setting("model.backbone", "resnet101").model.backbone == "resnet101"
    with pytest.raises(ValueError, match="`name` must be section"):
        config.with_setting("training.epochs", "3")
    plain = config.with_setting("data.enhance", None)
    with pytest.raises(
        ValueError, match=r"num_bins` is only allowed with enhancement; got 256 and"
    ):
        plain.with_setting("data.enhance.num_bins", "256")


def test_levels_and_bits_are_set_by_name_and_in_files():
    deep = RunConfig(data=DataConfig(enhance=EnhanceParams(num_bins=1024, bits=12)))
    typed = RunConfig().with_setting("data.enhance.num_bins", "1024")
    assert typed.with_setting("data.enhance.bits", "12") == deep
    assert RunConfig.from_json(deep.to_json()) == deep
    assert RunConfig.from_toml("[data.enhance]\nnum_bins = 1024\nbits = 12\n") == deep
    assert deep.with_setting("data.enhance.num_bins", "none").data.enhance.num_bins is None
    none = RunConfig.from_toml('[data.enhance]\nnum_bins = "none"\nbits = "none"\n')
    assert none.data.enhance == EnhanceParams(num_bins=None, bits=None)


@pytest.mark.parametrize(
    "typed",
    [
        lambda: RunConfig.from_toml("[data.enhance]\nclip_limit = 4.0\n"),
        lambda: RunConfig.from_json('{"data": {"enhance": {"clip_limit": 4.0}}}'),
        lambda: RunConfig().with_setting("data.enhance", '{"clip_limit": 4.0}'),
        lambda: RunConfig().with_setting("data.enhance.clip_limit", "4.0"),
    ],
    ids=["toml", "json", "whole", "one"],
)
def test_settings_of_enhancement_that_are_not_named_take_their_defaults(typed):
    assert typed().data.enhance == EnhanceParams(clip_limit=4.0)


def test_a_shift_in_a_file_counts_what_it_leaves():
    shifted = RunConfig.from_toml("[data.enhance]\nbit_shift = 8\n").data.enhance
    assert shifted == EnhanceParams(bit_shift=8)
    with pytest.raises(TypeError, match="`bit_shift` must be"):
        RunConfig.from_toml('[data.enhance]\nbit_shift = "8"\n')


def test_a_run_of_before_there_were_fewer_levels_keeps_all_of_them():
    stored = RunConfig().to_dict()
    for name in ("num_bins", "bits"):
        del stored["data"]["enhance"][name]
    assert RunConfig.from_dict(stored).data.enhance == EnhanceParams(num_bins=None)


@pytest.mark.parametrize(
    ("make", "error", "sentence"),
    [
        (lambda: DataConfig(image_size=(16, 16)), ValueError, "`image_size` must be at least"),
        (
            lambda: DataConfig(image_size=(224, 4097)),
            ValueError,
            r"`image_size` must be at most \(4096, 4096\); got \(224, 4097\)\. Give height",
        ),
        (lambda: DataConfig(image_size=224), TypeError, "`image_size` must be two ints"),
        (lambda: DataConfig(order="first"), ValueError, "`order` must be one of"),
        (lambda: DataConfig(rotation=2), ValueError, "`rotation` must be from 0.0 to 0.5; got 2"),
        (lambda: DataConfig(enhance=EnhanceParams(output="rgb")), ValueError, "`enhance` must"),
        (lambda: ModelConfig(backbone="vgg"), ValueError, "`backbone` must be one of"),
        (lambda: ModelConfig(task="multi"), ValueError, "`task` must be one of.*'multilabel'; got"),
        (lambda: ModelConfig(findings=["A"]), TypeError, "`findings` must be a tuple of str; got"),
        (lambda: findings_of("A", "B", "A"), ValueError, "name each finding once; got 'A' twice"),
        (lambda: findings_of("A;B"), ValueError, "printable names without semicolons"),
        (lambda: findings_of(" A"), ValueError, "without semicolons and blanks around them"),
        (lambda: findings_of(), ValueError, "at least one finding with task multilabel; got none"),
        (
            lambda: ModelConfig(findings=("A",)),
            ValueError,
            "`findings` is only allowed with task multilabel; got A and task multiclass",
        ),
        (
            lambda: ModelConfig(task="binary", uncertain="absent"),
            ValueError,
            "`uncertain` is only allowed with task multilabel; got 'absent' and task binary",
        ),
        (lambda: TrainingConfig(positive_weights=1), TypeError, "`positive_weights` must be a b"),
        (lambda: TrainingConfig(batch_size=0), ValueError, "`batch_size` must be at least 1"),
        (lambda: TrainingConfig(seed=2**32), ValueError, r"`seed` must be less than 2\*\*32"),
        (lambda: TrainingConfig(epochs_head=1.5), TypeError, "`epochs_head` must be an int"),
        (lambda: RunConfig.from_dict({"dat": {}}), ValueError, "only the names data, model"),
        (lambda: RunConfig.from_toml("= 3"), ValueError, "`text` must be TOML"),
        (lambda: RunConfig.from_toml("a = " + "[" * 99_999), ValueError, "it is nested too deep"),
    ],
)
def test_settings_check_themselves(make, error, sentence):
    with pytest.raises(error, match=sentence):
        make()


def test_settings_of_before_there_was_a_fit_squash_and_crop_nothing():
    stored = RunConfig().to_dict()
    del stored["data"]["fit"], stored["data"]["crop_border"]
    data = RunConfig.from_dict(stored).data
    assert (data.fit, data.crop_border) == ("squash", False)
    assert RunConfig.from_dict(stored) == RunConfig()


def test_a_fit_is_typed_as_any_setting_and_reaches_the_preparation():
    config = RunConfig().with_setting("data.fit", "pad").with_setting("data.crop_border", "true")
    assert config.data.preparation == Preparation(
        size=(224, 224),
        fit="pad",
        crop_border=True,
        order="resize-first",
        interpolation="linear",
        dtype="uint8",
    )
    with pytest.raises(ValueError, match=r"`fit` must be one of 'squash', 'pad', 'crop'; got"):
        RunConfig().with_setting("data.fit", "stretch")
    with pytest.raises(TypeError, match=r"`crop_border` must be a bool; got 1"):
        RunConfig().with_setting("data.crop_border", 1)


def test_settings_that_need_each_other_are_changed_together():
    changes = [("model.task", "multilabel"), ("model.findings", '["Edema", "Mass"]')]
    expected = ModelConfig(task="multilabel", findings=("Edema", "Mass"))
    assert RunConfig().with_settings(changes).model == expected
    assert RunConfig().with_settings(reversed(changes)).model == expected
    toml = '[model]\ntask = "multilabel"\nfindings = ["Edema", "Mass"]\n'
    assert RunConfig.from_toml(toml).model == expected


def test_of_settings_changed_together_a_later_one_finds_what_an_earlier_one_left():
    changes = [("data.enhance", {"clip_limit": 4.0}), ("data.enhance.bits", 12)]
    changed = RunConfig().with_settings(changes).data.enhance
    assert changed == EnhanceParams(clip_limit=4.0, bits=12)


def test_settings_of_before_there_were_findings_have_none():
    stored = RunConfig().to_dict()
    del stored["model"]["findings"], stored["model"]["uncertain"]
    del stored["training"]["positive_weights"]
    assert RunConfig.from_dict(stored) == RunConfig()


def test_functions_take_a_record_changes_of_the_defaults_or_none():
    config = RunConfig().with_setting("training.seed", 3)
    assert RunConfig.made_of(config) is config
    assert RunConfig.made_of(None) == RunConfig()
    made = RunConfig.made_of(
        {
            "training.seed": 3,
            "model.positive_class": "12",
            "data.enhance": None,
            "model.weights": "none",
        }
    )
    assert (made.training.seed, made.model.positive_class) == (3, "12")
    assert (made.data.enhance, made.model.weights) == (None, "none")
    with pytest.raises(
        TypeError, match=r"`config` must be a RunConfig, a mapping .*; got 'a\.toml'"
    ):
        RunConfig.made_of("a.toml")
    with pytest.raises(ValueError, match=r"Did you mean training.epochs_head"):
        RunConfig.made_of({"training.epoch_head": 1})


def test_weights_are_named_by_file_and_content():
    def named(weights, sha256):
        config = RunConfig().with_setting("model.weights", weights)
        return with_named_weights(config, sha256).model.weights

    assert named("imagenet", None) == "imagenet"
    assert named("none", None) == "none"
    assert named("runs/w.keras", "0123456789ab") == "w.keras, SHA-256 01234567"
    assert named("/a/runs/w.keras", "0123456789ab") == named("w.keras", "0123456789ab")
    assert named("/a/w.keras", "0123456789ab") != named("/a/w.keras", "ba9876543210")
    assert named("/a/w.keras", None) == "w.keras"
