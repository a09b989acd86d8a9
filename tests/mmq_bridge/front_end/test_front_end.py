# SPDX-License-Identifier: Apache-2.0
"""The front end's contract: names, validation, JSON, digest, files."""

import json
from pathlib import Path
from typing import Any

import pytest
from mmq_bridge.errors import BridgeError
from mmq_bridge.front_end.front_end import FrontEnd, Normalisation, Quantisation
from mmq_bridge.front_end.modalities import SUPPORTED_MODALITIES

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
        ({"frontend_version": 4}, "newer mmq-tf"),
        ({"frontend_version": 0}, "frontend_version"),
        ({"frontend_version": "2"}, "frontend_version"),
        ({"modalities": {}}, "modalities"),
        ({"modalities": {"gsr": {"sampling_rate_hz": 4}}}, "gsr"),
        ({"modalities": {"eda": {}}}, "sampling_rate_hz"),
        ({"modalities": {"eda": {"sampling_rate_hz": 0}}}, "sampling_rate_hz"),
        ({"modalities": {"eda": {"sampling_rate_hz": "NaN"}}}, "sampling_rate_hz"),
        ({"modalities": {"eda": {"sampling_rate_hz": 4, "ratio": 1}}}, "ratio"),
        ({"modalities": {"eda": {"sampling_rate_hz": 4, "minimum": 90}}}, "maximum"),
        ({"modalities": {"acc": {"sampling_rate_hz": 32, "channels": ["x"]}}}, "3 channel"),
        ({"modalities": {"acc": {"sampling_rate_hz": 32, "channels": list("abcd")}}}, "3 channel"),
        ({"modalities": {"acc": {"sampling_rate_hz": 32, "channels": ["w_x", "y", "z", "wx", "v", "u"]}}},
         "different names"),
        ({"modalities": {"acc": {"sampling_rate_hz": 32, "decimate": 2}}}, "decimate"),
        ({"modalities": {"eda": {"sampling_rate_hz": 4, "decimate": 8}}}, "lengthen token_s"),
        ({"modalities": {"eeg": {"sampling_rate_hz": 100, "notch_hz": 50}}}, "above 110 Hz"),
        ({"modalities": {"eeg": {"sampling_rate_hz": 128, "notch_hz": 60}}}, "above 132 Hz"),
        ({"modalities": {"eeg": {"sampling_rate_hz": 500, "notch_hz": 55}}}, "notch_hz"),
        ({"modalities": {"eda": {"sampling_rate_hz": 500, "notch_hz": 50}}}, "notch_hz is only for eeg"),
        ({"modalities": {"ppg": {"sampling_rate_hz": 64, "min_kurtosis": 4}}}, "min_kurtosis is only"),
        ({"modalities": {"ecg": {"sampling_rate_hz": 250, "min_skewness": 0}}}, "min_skewness is only"),
        ({"modalities": {"eog": {"sampling_rate_hz": 250, "max_deviation": 0.05}}}, "must exceed min"),
        ({"modalities": {"eeg": {"sampling_rate_hz": 250, "max_bad_share": 1}}}, "max_bad_share"),
        ({"modalities": {"eda": {"sampling_rate_hz": 4, "max_step_per_s": -1}}}, "max_step_per_s"),
        ({"modalities": {"ppg": {"sampling_rate_hz": 64, "context_s": 3, "min_regularity": 0.5}}}, "context"),
        ({"modalities": {"resp": {"sampling_rate_hz": 32, "bands": []}}}, "the breath band"),
        ({"modalities": {"resp": {"sampling_rate_hz": 256, "decimate": 1}}}, "2 to 100 Hz"),
        ({"modalities": {"eog": {"sampling_rate_hz": 256, "bands": []}}}, "at least one band"),
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


def breath(context_s: float, rate_hz: float, version: int = 3, **rules: float) -> str:
    part = {"sampling_rate_hz": rate_hz, "context_s": context_s, **rules}
    return json.dumps({"frontend_version": version, "modalities": {"resp": part}})


def test_breath_that_version_3_could_never_judge_is_refused() -> None:
    FrontEnd.from_json(breath(10.0, 32.0))
    FrontEnd.from_json(breath(6.0, 32.0, 2))
    FrontEnd.from_json(breath(6.0, 32.0, min_band_share=0.0))
    for context_s, rate_hz, kept in ((6.0, 32.0, "6 s keep 48 of 80"), (10.0, 25.0, "10 s keep 83 of 83.33")):
        with pytest.raises(BridgeError, match=f"resp.*judged over 10 s .* but {kept} samples, so no token"):
            FrontEnd.from_json(breath(context_s, rate_hz))


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\xfe", b"null", b"[" * 100_000])
def test_a_file_that_is_no_front_end_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "frontend.json"
    path.write_bytes(content)
    with pytest.raises(BridgeError, match=r"frontend\.json"):
        FrontEnd.load(path)


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BridgeError, match=r"nothing\.json"):
        FrontEnd.load(tmp_path / "nothing.json")


TWO = {"sampling_rate_hz": 128, "channels": ["F3", "F4"]}


@pytest.mark.parametrize(
    ("spatial", "message"),
    [
        ({"outputs": ["a"], "matrix": [[1, 0, 0]]}, "one weight a channel"),
        ({"outputs": ["a", "b"], "matrix": [[1, 0]]}, "one row an output"),
        ({"outputs": ["a", "a"], "matrix": [[1, 0], [0, 1]]}, "outputs must differ"),
        ({"outputs": ["a", "b"], "matrix": [[1, 0], [1]]}, "equally long"),
        ({"outputs": ["a"], "matrix": [[0, 0]]}, "all zeros"),
        ({"outputs": ["a"], "matrix": [[1, 1e9]]}, "within"),
        ({"outputs": ["a.b"], "matrix": [[1, 0]]}, "without a dot"),
        ({"outputs": ["a"], "matrix": [[1, float("nan")]]}, "finite"),
        ({"outputs": [], "matrix": []}, "outputs"),
    ],
)
def test_an_impossible_spatial_matrix_is_one_sentence(spatial: dict[str, Any], message: str) -> None:
    content = {"modalities": {"eeg": TWO | {"spatial": {"method": "test"} | spatial}}}
    with pytest.raises(BridgeError, match=message) as caught:
        FrontEnd.from_json(json.dumps(content))
    assert "\n" not in str(caught.value)


def test_a_spatial_matrix_is_only_for_eeg() -> None:
    spatial = {"method": "test", "outputs": ["a"], "matrix": [[1, 0]]}
    with pytest.raises(BridgeError, match="spatial is only for eeg"):
        FrontEnd.from_json(json.dumps({"modalities": {"eog": TWO | {"spatial": spatial}}}))


def test_a_spatial_matrix_names_the_outputs_and_enters_the_digest() -> None:
    spatial = {"method": "difference", "outputs": ["left-right"], "matrix": [[1, -1]]}
    plain = FrontEnd.model_validate({"modalities": {"eeg": TWO}})
    mixed = FrontEnd.model_validate({"modalities": {"eeg": TWO | {"spatial": spatial}}})
    assert [name.split(".")[1] for name in mixed.feature_names] == ["left-right"] * 10
    assert mixed.digest() != plain.digest()
    assert FrontEnd.from_json(mixed.to_json()) == mixed


@pytest.mark.parametrize(
    ("name", "channels", "first", "last"),
    [
        ("ppg", ("PPG",), "ppg.heart_rate", "ppg.spectral_purity"),
        ("ppg", ("red", "green"), "ppg.red.heart_rate", "ppg.green.spectral_purity"),
        ("resp", ("chest", "belly"), "resp.chest.rate", "resp.belly.depth_variability"),
        ("emg", ("zyg",), "emg.zyg.de_delta", "emg.zyg.mean_frequency"),
        ("eog", ("h", "v"), "eog.h.de_delta", "eog.v.psd_gamma"),
        ("acc", ("x", "y", "z"), "acc.magnitude_deviation", "acc.active_share"),
        ("acc", ("wrist_x", "wrist_y", "wrist_z", "legx", "legy", "legz"), "acc.wrist.magnitude_deviation",
         "acc.leg.active_share"),
    ],
)  # fmt: skip
def test_features_are_named_by_output_where_there_are_several(
    name: str, channels: tuple[str, ...], first: str, last: str
) -> None:
    names = FrontEnd.wearable({name: 128}, {name: channels}).feature_names
    assert (names[0], names[-1]) == (first, last)
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("name", "rate", "lowest", "highest"),
    [
        ("eda", 4, 4, 8), ("eda", 130, 4, 8), ("temp", 32.5, 4, 8), ("temp", 1, 1, 1), ("resp", 25, 8, 16),
        ("resp", 500, 8, 16), ("eog", 512, 120, 240), ("emg", 1000, 500, 1000), ("ppg", 200, 50, 100),
        ("eda", 4000, 4, 63),
    ],
)  # fmt: skip
def test_default_decimation_keeps_the_rate_the_features_need(
    name: str, rate: float, lowest: float, highest: float
) -> None:
    modality = FrontEnd.wearable({name: rate}, token_s=10).modalities[name]
    assert lowest <= modality.rate_hz <= highest


def test_in_another_unit_limits_of_that_unit_are_off() -> None:
    ecg = {"sampling_rate_hz": 250, "unit": "uV", "minimum": -3e5, "maximum": 3e5}
    modality = FrontEnd.model_validate({"modalities": {"ecg": ecg}}).modalities["ecg"]
    assert modality.max_step_per_s == modality.min_deviation == modality.max_deviation == 0
    assert modality.min_kurtosis > 0
