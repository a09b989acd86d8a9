# SPDX-License-Identifier: Apache-2.0
import re
import subprocess
import sys

import pytest

from mmq_tf.config.preset_files import preset_names
from mmq_tf.config.run_config import load_config
from mmq_tf.config.training_spec import WITHOUT_LINE
from mmq_tf.errors import MMQError


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_can_do_without_its_line(name):
    model = load_config(name, [*WITHOUT_LINE, 'model.name="mhacl"']).model
    assert (model.name, model.line, model.line_gate) == ("mhacl", False, False)


@pytest.mark.parametrize("name", preset_names())
def test_presets_load_and_survive_a_round_trip(name, tmp_path):
    config = load_config(name)
    path = tmp_path / "config.toml"
    path.write_text(config.to_toml(), "utf-8")
    assert load_config(path) == config


def test_overrides_reach_into_sections():
    config = load_config(
        "simulated", ["training.epochs=3", "model.size=small", 'split.folds="loso"', "seeds=[1, 2]"]
    )
    assert (config.training.epochs, config.model.size, config.split.folds, config.seeds) == (
        3,
        "small",
        "loso",
        (1, 2),
    )


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("training.epoch=3", "unknown key training.epoch"),
        ("training.epochs=0", "training.epochs"),
        ("training.learning_rate=-1", "training.learning_rate"),
        ("training.epochs", "not of the form key=value"),
        ("=3", "not of the form key=value"),
        ("name.x=3", "name is a value"),
        ("model.size=giant", "model.size"),
        ("data.dataset=deap2", "data set must be one of"),
        ("data.task=joy", "not a task of"),
        ('data.classes=["a", "b"]', "classes are those of simulated"),
        ("data.dataset=manifest", "at least two different classes"),
        ('missing.conditions.full=["ppg"]', "neither 'full'"),
        ('missing.conditions.dark=["eeg"]', "must hide some, not all"),
        ('missing.conditions.dark=["ppg", "eda", "temp", "acc"]', "must hide some, not all"),
        ("missing.conditions.dark=[]", "must hide some, not all"),
        ("split.unit=windows", "puts one person on both sides"),
        ("split.folds=1", "folds must be at least 2"),
        ("normalisation.enrolment_s=0", "enrolment_s must be above 0"),
        ("front_end.modalities.ppg.sampling_rate_hz=0", "sampling_rate_hz"),
        ("front_end.modalities.smell.sampling_rate_hz=3", "smell"),
        ("losses.classes=-1", "losses"),
        ("seeds=[]", "seeds"),
        ("seeds=[1, 1]", "seeds must be different"),
        ("training.learning_rate=nan", "training.learning_rate"),
    ],
)
def test_a_bad_value_is_one_sentence_that_names_the_key(override, message):
    with pytest.raises(MMQError, match=message) as caught:
        load_config("simulated", [override])
    assert "\n" not in str(caught.value)


def test_conditions_survive_the_file(tmp_path):
    config = load_config("simulated", ['missing.conditions.lost-contact=["ppg", "eda"]'])
    assert config.missing.conditions == {"lost-contact": ("ppg", "eda")}
    (tmp_path / "run.toml").write_text(config.to_toml(), "utf-8")
    assert load_config(tmp_path / "run.toml") == config


def test_a_manifest_brings_its_own_classes():
    changes = ["data.dataset=manifest", "data.task=joy", 'data.classes=["no", "yes"]']
    config = load_config("simulated", changes)
    assert config.classes == ("no", "yes")
    assert load_config("simulated").classes == ("rest", "stress")


def test_a_configuration_loads_without_the_training_backend():
    code = (
        "import sys; from mmq_tf.config.run_config import load_config; load_config('simulated');"
        " assert 'keras' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_file_that_is_no_toml_or_absent(tmp_path):
    path = tmp_path / "bad.toml"
    path.write_text("name = [", "utf-8")
    with pytest.raises(MMQError, match="not valid TOML"):
        load_config(path)
    with pytest.raises(MMQError, match="neither a preset"):
        load_config(tmp_path / "absent.toml")
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(MMQError, match="neither a preset"):
        load_config(path)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("windows.stride_s=1e-9", "windows.stride_s: input should be greater than or equal to 0.5"),
        ("windows.stride_s=1e300", "windows.stride_s: input should be less than or equal to"),
        (
            "training.epochs=99999999999999999999999999",
            "training.epochs: input should be less than or equal to",
        ),
        ("seeds=[99999999999999999999999999]", "seeds must be different numbers from 0 to 4294967295"),
    ],
)
def test_an_absurd_value_is_one_sentence(override, words):
    with pytest.raises(MMQError, match=re.escape(words)):
        load_config("simulated", [override])
