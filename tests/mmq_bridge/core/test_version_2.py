# SPDX-License-Identifier: Apache-2.0
"""Front ends of older versions keep their bits; version 3, the default, has the settings of version 2."""

import json
import zlib
from types import SimpleNamespace

import numpy as np
import pytest
from mmq_bridge.core_binding.native import extract_tokens
from mmq_bridge.front_end.front_end import DEFAULT_VERSION, FRONTEND_VERSION, FrontEnd

KEPT = {
    "eeg": {2: (162731735, 2624548819), 1: (1821759183, 2337281198)},
    "ecg": {2: (3645723671, 2337281198), 1: (3645723671, 2337281198)},
    "ppg": {2: (3517149889, 601269567), 1: (4015052134, 2337281198)},
    "eda": {2: (76093581, 3055447278), 1: (3312547995, 535373487)},
    "temp": {2: (573797491, 535373487), 1: (573797491, 535373487)},
    "acc": {2: (1285278534, 1573659090), 1: (1285278534, 1573659090)},
    "eog": {2: (615405974, 2624548819)},
    "emg": {2: (3516134774, 3618503002)},
    "resp": {2: (1907578627, 601269567)},
}
"""What `stream_of` gave before there was a version 3."""


def stream_of(made: SimpleNamespace, name: str, version: int) -> tuple[int, int]:
    """CRC32 of the features' bits and of the reasons of two minutes with losses, noise, a rail and a step."""
    rate = made.ALL[name]
    signal = made.made_up(120, {name: rate}, seed=5)[name]
    x, second = signal.samples, int(rate)
    x[:, 20 * second : 22 * second] = np.nan
    x[:, 41 * second : 41 * second + second // 2] = np.nan
    x[:, 60 * second : 66 * second] = x[:, 60 * second, None]
    x[:, 80 * second] += 1e5
    x[0, 100 * second : 104 * second] *= -1
    x[:] = np.round(x * 1024) / 1024  # so that no platform's sine can tell
    stream = extract_tokens(FrontEnd.wearable({name: rate}, frontend_version=version), {name: signal})
    return zlib.crc32(stream.features.tobytes()), zlib.crc32(stream.reasons.astype(np.uint16).tobytes())


@pytest.mark.parametrize("name", KEPT)
def test_older_versions_keep_their_bits(made: SimpleNamespace, name: str) -> None:
    for version, kept in KEPT[name].items():
        assert stream_of(made, name, version) == kept


def test_version_3_is_the_default() -> None:
    assert (DEFAULT_VERSION, FRONTEND_VERSION) == (3, 3)
    assert FrontEnd.wearable({"ppg": 64}).frontend_version == 3
    assert FrontEnd.from_json('{"modalities": {"ppg": {"sampling_rate_hz": 64}}}').frontend_version == 3


def test_version_3_has_the_settings_of_version_2(made: SimpleNamespace) -> None:
    older, newer = (FrontEnd.wearable(made.ALL, frontend_version=version) for version in (2, 3))
    assert newer.modalities == older.modalities
    assert json.loads(newer.to_json())["frontend_version"] == 3
    assert FrontEnd.from_json(newer.to_json()) == newer
    assert newer.digest() != older.digest()
