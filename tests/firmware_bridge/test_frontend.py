"""The front end's contract: names, validation, JSON, digest, files."""

import json
from pathlib import Path
from typing import Any

import pytest

from firmware_bridge.defaults import SUPPORTED_MODALITIES
from firmware_bridge.errors import BridgeError
from firmware_bridge.frontend import FrontEnd, Normalisation, Quantisation

WRIST = {"ppg": 64, "eda": 4, "temp": 4, "acc": 32}


@pytest.fixture
def wrist() -> FrontEnd:
    return FrontEnd.wearable(WRIST)


def statistics(front_end: FrontEnd, **settings: Any) -> Normalisation:
    count = front_end.n_features
    return Normalisation(**{"mode": "population", "mean": (0.0,) * count, "std": (1.0,) * count} | settings)


def test_slices_cover_the_features_in_order(wrist: FrontEnd) -> None:
    assert wrist.modality_names == tuple(WRIST)
    assert wrist.window_s == 60
    stop = 0
    for name, part in wrist.feature_slices.items():
        assert part.start == stop
        assert all(feature.startswith(f"{name}.") for feature in wrist.feature_names[part])
        stop = part.stop
    assert stop == wrist.n_features == len(set(wrist.feature_names))


def test_eeg_features_are_named_by_channel_and_band() -> None:
    names = FrontEnd.wearable({"eeg": 128}, channels={"eeg": ("Fz", "Cz")}).feature_names
    assert names[0] == "eeg.Fz.de_delta"
    assert "eeg.Cz.psd_gamma" in names
    assert len(names) == 2 * 2 * 5


@pytest.mark.parametrize("name", SUPPORTED_MODALITIES)
def test_every_modality_has_defaults_that_validate(name: str) -> None:
    rate = {"eda": 4, "temp": 4}.get(name, 128)
    assert FrontEnd.wearable({name: rate}).n_features > 2


def test_json_round_trip_keeps_every_bit(wrist: FrontEnd, tmp_path: Path) -> None:
    full = wrist.with_normalisation(statistics(wrist, mean=(0.1,) * wrist.n_features)).with_quantisation(
        Quantisation(scale=1 / 3, zero_point=-7)
    )
    assert FrontEnd.from_json(full.to_json()) == full
    full.save(tmp_path / "frontend.json")
    assert FrontEnd.load(tmp_path / "frontend.json") == full
    assert [p.name for p in tmp_path.iterdir()] == ["frontend.json"]


def test_digest_sees_the_features_and_not_the_statistics(wrist: FrontEnd) -> None:
    assert wrist.with_normalisation(statistics(wrist)).digest() == wrist.digest()
    assert wrist.with_quantisation(Quantisation(scale=0.1, zero_point=0)).digest() == wrist.digest()
    assert FrontEnd.wearable(WRIST, token_s=4).digest() != wrist.digest()
    swapped = FrontEnd.wearable(dict(reversed(WRIST.items())))
    assert swapped.digest() != wrist.digest()


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"token_z": 5}, "token_z"),
        ({"token_s": 0}, "token_s"),
        ({"tokens": 0}, "tokens"),
        ({"frontend_version": 2}, "frontend_version"),
        ({"modalities": {}}, "modalities"),
        ({"modalities": {"gsr": {"sampling_rate_hz": 4}}}, "gsr"),
        ({"modalities": {"eda": {}}}, "sampling_rate_hz"),
        ({"modalities": {"eda": {"sampling_rate_hz": 0}}}, "sampling_rate_hz"),
        ({"modalities": {"eda": {"sampling_rate_hz": "NaN"}}}, "sampling_rate_hz"),
        ({"modalities": {"eda": {"sampling_rate_hz": 4, "ratio": 1}}}, "ratio"),
        ({"modalities": {"eda": {"sampling_rate_hz": 4, "minimum": 90}}}, "maximum"),
        ({"modalities": {"acc": {"sampling_rate_hz": 32, "channels": ["x"]}}}, "3 channel"),
        ({"modalities": {"ppg": {"sampling_rate_hz": 6}}}, "half the decimated rate"),
        ({"modalities": {"ppg": {"sampling_rate_hz": 64, "decimate": 16}}}, "half the decimated rate"),
        ({"modalities": {"ppg": {"sampling_rate_hz": 64, "decimate": 4}}}, "25 to 300 Hz"),
        ({"modalities": {"eeg": {"sampling_rate_hz": 128, "channels": ["Fz", "Fz"]}}}, "channels"),
        ({"modalities": {"eda": {"sampling_rate_hz": 4}}, "normalisation": {
            "mode": "population", "mean": [0], "std": [1]}}, "features"),
        ({"modalities": {"eda": {"sampling_rate_hz": 4}}, "normalisation": {
            "mode": "population", "mean": [0] * 6, "std": [0] * 6}}, "std"),
        ({"modalities": {"eda": {"sampling_rate_hz": 4}}, "normalisation": {
            "mode": "enrolment", "mean": [0] * 6, "std": [1] * 6}}, "enrolment_s"),
        ({"quantisation": {"scale": 0, "zero_point": 0}}, "scale"),
    ],
)  # fmt: skip
def test_impossible_settings_are_one_sentence(change: dict[str, Any], place: str) -> None:
    content = {"modalities": {"eda": {"sampling_rate_hz": 4}}} | change
    with pytest.raises(BridgeError, match=place) as caught:
        FrontEnd.from_json(json.dumps(content), "frontend.json")
    assert str(caught.value).startswith("frontend.json: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\xfe", b"null", b"[" * 100_000])
def test_a_file_that_is_no_front_end_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "frontend.json"
    path.write_bytes(content)
    with pytest.raises(BridgeError, match=r"frontend\.json"):
        FrontEnd.load(path)


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BridgeError, match=r"nothing\.json"):
        FrontEnd.load(tmp_path / "nothing.json")
