# SPDX-License-Identifier: Apache-2.0
"""`mmq-tf presets`, `config keys` and `doctor` say what there is."""

import importlib.metadata

import click
import pytest
from command_line import invoke, printed

from mmq_tf.cli import doctor
from mmq_tf.cli.config import keys
from mmq_tf.cli.presets import command as presets
from mmq_tf.config.keys import config_keys
from mmq_tf.config.preset_files import preset_names
from mmq_tf.config.run_config import RunConfig, load_config


def test_presets_are_listed_and_printed_as_files_that_load(tmp_path):
    said = printed(presets)
    assert [line.split()[0] for line in said.splitlines()] == preset_names()
    assert "stress tasks against rest; stress from ppg eda temp acc, windows of 60 s\n" in said
    (tmp_path / "my.toml").write_text(printed(presets, "stress_predict"), "utf-8")
    assert load_config(tmp_path / "my.toml") == load_config("stress-predict")


def test_a_preset_s_data_set_may_be_spelled_with_hyphens():
    assert load_config("wesad", ["data.dataset=wesad-chest"]).data.dataset == "wesad_chest"


def test_every_key_of_a_configuration_is_known():
    def dotted(values, prefix=""):
        for name, value in values.items():
            yield from dotted(value, f"{prefix}{name}.") if isinstance(value, dict) else [prefix + name]

    known = [key.name for key in config_keys(RunConfig)]
    for name in dotted(load_config("wrist").model_dump(mode="json", exclude_none=True)):
        assert any(name == key or name.startswith(f"{key}.") for key in known), name


def test_keys_are_told_with_what_they_take_and_their_default():
    said = printed(keys, "model.line_squash")
    assert "model.line_squash  float >= 0.05 <= 10  [1.5]" in said
    assert "`line_squash` is where a feature stops counting in full" in " ".join(said.split())
    assert "split.folds             int | loso  [5]" in printed(keys, "split")
    assert "  name  " not in printed(keys, "training")


@pytest.mark.parametrize(("part", "meant"), [("model.lin", "model.line"), ("trainin", "training")])
def test_an_unknown_key_is_asked_for(part, meant):
    result = invoke(keys, part)
    assert result.exit_code == 2
    assert f"there is no key or section {part!r}. Did you mean {meant!r}?" in result.output


def test_doctor_names_what_is_there_and_what_it_is_for():
    said = printed(doctor.command)
    assert f"keras                          {importlib.metadata.version('keras')}" in said
    assert "[onnx]" in said
    assert "export to ONNX" in said


def test_doctor_ends_with_a_sentence_where_something_needed_is_missing(monkeypatch):
    versions = importlib.metadata.version

    def without_keras(name):
        if name == "keras":
            raise importlib.metadata.PackageNotFoundError
        return versions(name)

    monkeypatch.setattr(importlib.metadata, "version", without_keras)
    result = invoke(doctor.command, standalone_mode=False)
    assert isinstance(result.exception, click.ClickException)
    assert "--  keras" in result.output
    assert "keras: missing, so mmq-tf cannot work here: install it again." in str(result.exception)
