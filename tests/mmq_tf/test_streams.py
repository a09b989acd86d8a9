import json
import logging

import numpy as np
import pytest

from mmq_tf.config import load_config
from mmq_tf.datasets.simulator import Settings, simulate
from mmq_tf.streams import cache_folder, stream_of, streams_digest, without_enrolment_artefacts

SETTINGS = [
    "front_end.modalities={eda={sampling_rate_hz=4},temp={sampling_rate_hz=4}}",
    "artefacts.variants=1",
]


@pytest.fixture(scope="module")
def recording():
    return simulate(Settings(minutes=7, modalities=("eda", "temp")), 0)[0]


@pytest.fixture
def read(recording, tmp_path, monkeypatch):
    """`read(seed)`: the recording's stream, through a cache of its own."""
    monkeypatch.setenv("MMQ_CACHE", str(tmp_path / "cache"))
    config = load_config("simulated", SETTINGS)
    return lambda seed=0: stream_of(recording, config.front_end, config.artefacts, seed)


def entries():
    return sorted(cache_folder().iterdir())


def test_a_stream_read_from_the_cache_is_the_stream_that_was_made(read, monkeypatch):
    made = read()
    monkeypatch.setattr("mmq_tf.streams.extract_tokens", None)  # would fail if it were called again
    assert streams_digest([read()]) == streams_digest([made])
    assert len(entries()) == 1
    assert {path.name for path in entries()[0].iterdir()} == {
        "meta.json",
        "features.npy",
        "presence.npy",
        "features_0.npy",
        "presence_0.npy",
        "corrupted_0.npy",
    }
    assert json.loads((entries()[0] / "meta.json").read_text())["simulated"] is True


def test_another_artefact_seed_is_another_entry(read):
    assert streams_digest([read(0)]) != streams_digest([read(1)])
    assert len(entries()) == 2


def _flip(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("features.npy", _flip),
        ("features_0.npy", lambda path: path.write_bytes(b"")),
        ("presence.npy", lambda path: path.write_bytes(path.read_bytes()[:100])),
        ("corrupted_0.npy", lambda path: path.unlink()),
        ("features.npy", lambda path: np.save(path, np.zeros(3, np.float32))),
        ("meta.json", lambda path: path.write_text("{")),
        ("meta.json", lambda path: path.write_text("{}")),
    ],
)
def test_a_damaged_cache_entry_is_made_again(read, caplog, name, damage):
    made = streams_digest([read()])
    (entry,) = entries()
    damage(entry / name)
    with caplog.at_level(logging.WARNING):
        assert streams_digest([read()]) == made
    assert "is damaged" in caplog.text
    caplog.clear()
    read()
    assert caplog.text == ""
    assert entries() == [entry]


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
