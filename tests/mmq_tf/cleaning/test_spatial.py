# SPDX-License-Identifier: Apache-2.0
"""From recordings to one matrix: inputs, outputs, order, and what is refused."""

import numpy as np
import pytest
from mmq_bridge.errors import BridgeError
from mmq_bridge.front_end.front_end import FrontEnd

from mmq_tf.cleaning import append_eog, compare_with_mne, fit_spatial_filter, read_eeg, to_raw
from mmq_tf.errors import MMQError
from mmq_tf.mne_bridge.mne_logging import mne_through_the_log
from mmq_tf.recording import Recording, Signal

RATE = 128.0


def in_numpy(fit):
    """Execute the float32 matrix as the front end has it, without the core."""
    matrix = np.array(fit.filter.matrix, np.float32)
    return lambda samples: matrix @ samples


def as_recording(cap, eog_as_row=False, lost=()):
    raw = cap.raw()
    samples = (np.asarray(raw.get_data()) * 1e6).astype(np.float32)
    for start, stop in lost:
        samples[3, start:stop] = np.nan
    names = tuple(raw.ch_names)
    if eog_as_row:
        return Recording("S1", "1", {"eeg": Signal("eeg", samples, RATE, "uV", names)})
    parts = {"eeg": (samples[:16], names[:16]), "eog": (samples[16:], names[16:])}
    return Recording(
        "S1", "1", {kind: Signal(kind, rows.copy(), RATE, "uV", n) for kind, (rows, n) in parts.items()}
    )


@pytest.mark.parametrize("bads", [(), ("C3",)])
@pytest.mark.parametrize("reference", ["average", None, ("P3", "P4")])
@pytest.mark.parametrize("method", ["reference", "regression", "ica"])
def test_every_fit_is_what_mne_does(cap, method, reference, bads):
    fit = fit_spatial_filter(cap.raw(), method=method, reference=reference, bads=bads)
    outputs = 14 if reference == ("P3", "P4") else 16
    assert fit.matrix.shape == (outputs, 17)
    assert fit.outputs == tuple(n for n in cap.raw().ch_names[:16] if n not in (reference or ()))
    found = compare_with_mne(fit, to_raw(cap.raw(), bads=bads), in_numpy(fit))
    # float32: 17 products and sums of values up to the largest sample
    largest = np.abs(cap.eeg).max() * np.abs(fit.matrix).sum(axis=1).max()
    assert found.max_abs_error_uv < 17 * 2.0**-24 * 2 * largest
    assert found.max_relative_error < 1e-4
    if bads:
        assert not fit.matrix[:, 7].any()
        assert fit.method.endswith("C3 interpolated")


def test_the_comparison_would_see_a_matrix_that_is_a_little_wrong(cap):
    fit = fit_spatial_filter(cap.raw(), method="regression")
    matrix = np.array(fit.filter.matrix, np.float32)
    matrix[2, 16] *= 1.001
    assert compare_with_mne(fit, to_raw(cap.raw()), lambda x: matrix @ x).max_relative_error > 1e-4


def test_a_recording_and_a_raw_give_the_same_matrix(cap):
    by_raw = fit_spatial_filter(cap.raw(), method="regression")
    for recording in (as_recording(cap), as_recording(cap, eog_as_row=True)):
        fit = fit_spatial_filter(recording, method="regression", eog_channels=("VEOG",))
        assert (fit.inputs, fit.outputs) == (by_raw.inputs, by_raw.outputs)
        np.testing.assert_allclose(fit.matrix, by_raw.matrix, atol=1e-5)  # float32 samples


def test_the_front_end_takes_a_recording_with_its_eog_below(cap):
    fit = fit_spatial_filter(as_recording(cap), method="regression")
    front_end = fit.front_end(token_s=2.0)
    signal = append_eog(as_recording(cap)).signals["eeg"]
    assert front_end.modalities["eeg"].channels == signal.channels == fit.inputs
    assert FrontEnd.from_json(front_end.to_json()) == front_end
    assert not any("VEOG" in name for name in front_end.feature_names)


def test_the_matrix_in_the_front_end_is_float32(cap):
    matrix = np.array(fit_spatial_filter(cap.raw()).filter.matrix)
    np.testing.assert_array_equal(matrix, matrix.astype(np.float32))


def test_a_front_end_keeps_its_other_settings_but_not_what_was_measured_without_the_matrix(cap):
    fit = fit_spatial_filter(cap.raw(), method="reference")
    base = FrontEnd.wearable({"eeg": RATE, "eda": 4}, {"eeg": ("A", "B")}, token_s=4.0)
    wanted = base.n_features
    base = FrontEnd.model_validate(
        base.model_dump()
        | {"normalisation": {"mode": "population", "mean": [0.0] * wanted, "std": [1.0] * wanted}}
    )
    merged = fit.front_end(base)
    assert merged.normalisation is None
    assert (merged.token_s, merged.modality_names) == (4.0, ("eeg", "eda"))
    assert merged.modalities["eeg"].channels == fit.inputs
    with pytest.raises(MMQError, match="comes at 256 Hz"):
        fit.front_end(FrontEnd.wearable({"eeg": 256}))


def test_lost_stretches_are_cut_out_and_a_bad_channel_may_be_lost_throughout(cap):
    recording = as_recording(cap, lost=((0, 200), (3000, 3010)))
    raw = to_raw(recording)
    assert raw.n_times == 60 * 128 - 210
    assert np.isfinite(np.asarray(raw.get_data())).all()
    fit = fit_spatial_filter(recording, method="regression")
    assert fit.fitted_s == pytest.approx(60 - 210 / 128)
    with pytest.raises(MMQError, match="no good channel is lost"):
        to_raw(as_recording(cap, lost=((0, 7680),)))
    assert to_raw(as_recording(cap, lost=((0, 7680),)), bads=("Fz",)).n_times == 7680


def test_only_the_channels_that_are_named_are_taken_and_a_strange_name_is_asked_about(cap, caplog):
    names = {name: f"EEG {name}-A1" for name in ("Fp1", "P4", "O1")}
    raw = cap.raw().rename_channels({"Oz": "ECG ECG", **names}).set_montage(None)
    assert to_raw(raw).ch_names == raw.ch_names
    assert "ECG ECG is no name of the 10-05 system" in caplog.text
    assert caplog.text.count("10-05") == 1
    caplog.clear()
    fit = fit_spatial_filter(raw, method="reference", channels=("Fz", "Cz", "Pz"))
    assert fit.inputs == ("Fz", "Cz", "Pz", "VEOG")
    assert not caplog.text
    with pytest.raises(MMQError, match="channels: Iz is not in"):
        fit_spatial_filter(raw, method="reference", channels=("Fz", "Iz"))


def test_several_recordings_count_together(cap):
    both = fit_spatial_filter([cap.raw(), cap.raw()], method="regression")
    one = fit_spatial_filter(cap.raw(), method="regression")
    assert both.fitted_s == 2 * one.fitted_s
    np.testing.assert_allclose(both.matrix, one.matrix, atol=0.02)


def test_an_ica_that_finds_no_eye_says_so(cap, caplog):
    fit = fit_spatial_filter(cap.raw(eog=False), blink_channel="O1")
    assert fit.components is not None
    assert not fit.components.eog
    assert fit.inputs == fit.outputs
    assert "no component looks like an eye" in caplog.text


def test_mne_warnings_reach_the_log_and_not_the_console(caplog, capfd):
    import warnings

    import mne

    with mne_through_the_log("a fit"):
        warnings.warn("the sphere is poor", RuntimeWarning, stacklevel=1)
        mne.utils.warn("said by MNE")
    assert "a fit: MNE says: the sphere is poor" in caplog.text
    assert caplog.text.count("said by MNE") == 1
    assert capfd.readouterr() == ("", "")


def flat(cap):
    raw = cap.raw()
    raw._data[4] = 1e-6
    return raw


def projected(cap):
    return cap.raw().set_eeg_reference(projection=True, verbose="ERROR")


def twice(cap):
    raw = cap.raw()
    other = raw.copy().pick(["VEOG"]).rename_channels({"VEOG": "HEOG"})
    return raw.add_channels([other])


def unequal(cap, **change):
    recording = as_recording(cap)
    eog = recording.signals["eog"]
    values = {
        "samples": eog.samples,
        "sampling_rate_hz": RATE,
        "unit": "uV",
        "channels": eog.channels,
        "start_s": 0.0,
        **change,
    }
    return Recording("S1", "1", {**recording.signals, "eog": Signal("eog", **values)})


@pytest.mark.parametrize(
    ("make", "settings", "message"),
    [
        (lambda cap: cap.raw(), {"method": "pca"}, "method must be one of"),
        (lambda cap: [], {}, "at least one recording"),
        (lambda cap: 3, {}, "got int"),
        (lambda cap: cap.raw(), {"bads": ("C99",)}, "bads: C99 is not in the recording"),
        (lambda cap: cap.raw(), {"eog_channels": ("EOG7",)}, "eog_channels: EOG7"),
        (lambda cap: cap.raw(), {"bads": ("VEOG",)}, "VEOG is an EOG channel"),
        (lambda cap: cap.raw().pick(["VEOG"]), {}, "no EEG channel"),
        (flat, {}, "F4 never changes"),
        (projected, {}, "without projectors"),
        (twice, {"method": "regression"}, "linearly dependent"),
        (lambda cap: [cap.raw(), cap.raw().pick("eeg")], {}, "recording 2 has"),
        (lambda cap: unequal(cap, unit="mV"), {}, "same unit"),
        (lambda cap: unequal(cap, start_s=1.0), {}, "same start_s"),
        (lambda cap: unequal(cap, samples=np.ones((1, 9), np.float32)), {}, "equally long"),
    ],
)
def test_what_cannot_be_fitted_is_one_sentence(cap, make, settings, message):
    with pytest.raises(MMQError, match=message) as caught:
        fit_spatial_filter(make(cap), **settings)
    assert "\n" not in str(caught.value)


def test_channel_names_the_front_end_cannot_have_are_refused(cap):
    fit = fit_spatial_filter(cap.raw().rename_channels({"Cz": "Cz."}), method="reference")
    with pytest.raises(MMQError, match="Cz"):
        fit.front_end()
    fit = fit_spatial_filter(cap.raw().rename_channels({"VEOG": "V."}), method="reference")
    with pytest.raises(BridgeError, match="V"):
        fit.front_end()


@pytest.mark.parametrize("name", ["a.edf", "a.set", "a.fif", "a.xyz", "a.vhdr"])
@pytest.mark.parametrize("content", [b"", b"0       rubbish", b"\x93NUMPY" * 50])
def test_a_file_that_is_no_eeg_is_one_sentence(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(MMQError, match=name) as caught:
        read_eeg(path)
    assert "\n" not in str(caught.value)


def test_an_absent_file_is_said_to_be_absent(tmp_path):
    with pytest.raises(MMQError, match="found nothing"):
        read_eeg(tmp_path / "no.set")
