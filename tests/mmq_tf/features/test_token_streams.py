# SPDX-License-Identifier: Apache-2.0
import json
import logging

import numpy as np
import pytest
from mmq_bridge.cache import cache_folder
from mmq_bridge.core_binding.native import extract_tokens

from mmq_tf.config.run_config import load_config
from mmq_tf.datasets import get_dataset
from mmq_tf.features.token_cache import TokenSettings
from mmq_tf.features.token_streams import (
    Source,
    load_stream,
    prepare,
    streams_digest,
    without_enrolment_artefacts,
)
from mmq_tf.simulation.simulator import Settings, simulate

SETTINGS = [
    "front_end.modalities={eda={sampling_rate_hz=4},temp={sampling_rate_hz=4}}",
    "artefacts.variants=1",
]


@pytest.fixture(scope="module")
def recording():
    return simulate(Settings(minutes=7, modalities=("eda", "temp", "acc")), 0)[0]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MMQ_CACHE", str(tmp_path / "cache"))


def settings_of(*changes, seed=0):
    config = load_config("simulated", [*SETTINGS, *changes])
    return TokenSettings(config.front_end, config.artefacts, seed)


@pytest.fixture
def read(recording):
    """`read(*changes, seed)`: the recording's stream, through a cache of its own."""
    return lambda *changes, seed=0: load_stream(source_of(recording), settings_of(*changes, seed=seed))


def source_of(recording):
    return Source(recording.digest, lambda: recording)


def entries():
    return sorted((cache_folder() / "tokens").iterdir())


def entry(modality, variant):
    (found,) = [
        path
        for path in entries()
        if json.loads((path / "meta.json").read_text())["modality"] == modality
        and (path / "corrupted.npy").exists() == variant
    ]
    return found


def test_a_stream_read_from_the_cache_is_the_stream_that_was_made(read, recording):
    made = read()
    again = load_stream(Source(recording.digest, lambda: pytest.fail("loaded again")), settings_of())
    assert streams_digest([again]) == streams_digest([made])
    assert len(entries()) == 4
    assert {path.name for path in entry("eda", False).iterdir()} == {
        "meta.json",
        "features.npy",
        "presence.npy",
    }
    assert json.loads((entry("temp", True) / "meta.json").read_text())["simulated"] is True


def test_modalities_apart_are_the_modalities_together(read, recording):
    stream, settings = read(), settings_of()
    together = extract_tokens(settings.front_end, recording.signals)
    np.testing.assert_array_equal(stream.features, together.features)
    np.testing.assert_array_equal(stream.presence, together.presence)
    assert stream.presence.any(0).all()


@pytest.mark.parametrize(("name", "subject"), [("stress_predict", "S03"), ("eegmat", "Subject04")])
def test_real_modalities_apart_are_the_modalities_together(mmq_data, name, subject):
    config = load_config(name.replace("_", "-"), ["artefacts.variants=0"])
    settings = TokenSettings(config.front_end, config.artefacts, 0)
    source = Source.of_subject(get_dataset(name), mmq_data / name, subject)
    stream = load_stream(source, settings)
    together = extract_tokens(config.front_end, source.recording.signals)
    np.testing.assert_array_equal(stream.features, together.features)
    np.testing.assert_array_equal(stream.presence, together.presence)


def test_a_sensor_that_was_not_recorded_is_absent_throughout(read):
    stream = read("front_end.modalities.ppg={sampling_rate_hz=64}")
    column = stream.front_end.modality_names.index("ppg")
    assert not stream.presence[:, column].any()
    assert len(entries()) == 4


def test_another_artefact_seed_is_another_entry_of_the_variants_alone(read):
    assert streams_digest([read()]) != streams_digest([read(seed=1)])
    assert len(entries()) == 6


@pytest.mark.parametrize(
    ("change", "made"),
    [
        ("front_end.tokens=6", []),
        ("normalisation.enrolment_s=60", []),
        ("windows.stride_s=5", []),
        ("front_end.modalities.eda.max_step_per_s=9", ["eda", "eda variant 0"]),
        ("front_end.modalities.acc={sampling_rate_hz=32}", ["acc", "acc variant 0"]),
        ("artefacts.variants=2", ["eda variant 1", "temp variant 1"]),
        ("artefacts.share=0.2", ["eda variant 0", "temp variant 0"]),
        ("front_end.token_s=10", ["eda", "eda variant 0", "temp", "temp variant 0"]),
    ],
)
def test_a_change_remakes_exactly_what_depends_on_it(recording, change, made):
    assert prepare(source_of(recording), settings_of()) == ["eda", "eda variant 0", "temp", "temp variant 0"]
    assert prepare(source_of(recording), settings_of(change)) == made
    assert prepare(Source(recording.digest, lambda: pytest.fail("loaded")), settings_of(change)) == []


def _flip(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("name", "variant", "damage"),
    [
        ("features.npy", False, _flip),
        ("features.npy", True, lambda path: path.write_bytes(b"")),
        ("presence.npy", False, lambda path: path.write_bytes(path.read_bytes()[:100])),
        ("corrupted.npy", True, lambda path: path.unlink()),
        ("features.npy", False, lambda path: np.save(path, np.zeros(3, np.float32))),
        ("meta.json", False, lambda path: path.write_text("{")),
        ("meta.json", True, lambda path: path.write_text("{}")),
    ],
)
def test_a_damaged_cache_entry_is_made_again(read, caplog, name, variant, damage):
    made, before = streams_digest([read()]), entries()
    damage(entry("eda", variant) / name)
    with caplog.at_level(logging.WARNING):
        assert streams_digest([read()]) == made
    assert "is damaged" in caplog.text
    caplog.clear()
    read()
    assert caplog.text == ""
    assert entries() == before


def test_damaged_facts_are_read_again(read, recording):
    made = streams_digest([read()])
    (facts,) = (cache_folder() / "recordings").iterdir()
    for text in ("{", "{}", "[]", facts.read_text().replace(recording.digest[:8], "00000000")):
        facts.write_text(text)
        assert streams_digest([read()]) == made
        assert recording.digest in facts.read_text()


def test_a_cache_that_cannot_be_written_costs_time_only(read, tmp_path, caplog):
    (tmp_path / "cache").write_text("a file where the folder should be")
    with caplog.at_level(logging.WARNING):
        assert len(read().features) > 0
    assert "could not be written" in caplog.text


def test_variants_are_clean_during_enrolment(read):
    stream = read()
    (cleaned,) = without_enrolment_artefacts([stream], 120.0)
    start = int(120 / stream.front_end.token_s)
    np.testing.assert_array_equal(cleaned.variants[0].features[:start], stream.features[:start])
    np.testing.assert_array_equal(cleaned.variants[0].features[start:], stream.variants[0].features[start:])
    assert not cleaned.variants[0].corrupted[:start].any()
