# SPDX-License-Identifier: Apache-2.0
"""Which channels of a stream are which sensor, and what is said when none are."""

import numpy as np
import pytest
from mmq_bridge.front_end.front_end import FrontEnd
from mmq_bridge.sources.matching import Description, Fit, find_fits

FRONT_END = FrontEnd.wearable(
    {"eeg": 256, "ecg": 256, "ppg": 64, "eda": 4, "temp": 4, "acc": 32}, {"eeg": ("Fz", "Cz")}
)


def stream(kind, rate, labels, units=None, types=None, name="Device"):
    count = len(labels)
    return Description(
        name, kind, rate, tuple(labels), tuple(units or [""] * count), tuple(types or [""] * count)
    )


@pytest.mark.parametrize(
    ("given", "fit"),
    [
        (stream("PPG", 64.0, ["whatever"]), Fit("ppg", (0,), (1.0,))),
        (stream("BVP", 64.5, [""]), Fit("ppg", (0,), (1.0,))),
        (stream("GSR", 4.0, ["gsr"], ["microsiemens"]), Fit("eda", (0,), (1.0,))),
        (stream("EDA", 4.0, ["eda"], ["nS"]), Fit("eda", (0,), (1e-3,))),
        (stream("", 4.0, ["t"], ["C"], name="skin temperature"), Fit("temp", (0,), (1.0,))),
        (stream("Accelerometer", 32.0, ["Z", "Y", "X"], ["mg"] * 3), Fit("acc", (2, 1, 0), (1e-3,) * 3)),
        (stream("ACC", 32.0, ["AccX", "AccY", "AccZ"]), Fit("acc", (0, 1, 2), (1.0,) * 3)),
        (stream("EEG", 256.0, ["O1", "cz", "FZ"], ["microvolts"] * 3), Fit("eeg", (2, 1), (1.0, 1.0))),
        (stream("EEG", 256.0, ["", ""], ["V", "V"]), Fit("eeg", (0, 1), (1e6, 1e6))),
    ],
)
def test_a_stream_that_fits(given, fit):
    fits, problems = find_fits(FRONT_END, given)
    assert [(f.modality, f.rows) for f in fits] == [(fit.modality, fit.rows)]
    assert fits[0].factors == pytest.approx(fit.factors)
    assert problems == []


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (stream("PPG", 128.0, ["ppg"]), "expected 64 Hz, got 128 Hz"),
        (stream("PPG", 0.0, ["ppg"]), "expected 64 Hz, got a stream without a rate"),
        (stream("PPG", float("nan"), ["ppg"]), "expected 64 Hz, got nan Hz"),
        (stream("EDA", 4.0, ["eda"], ["degC"]), "expected uS, got 'degC'"),
        (stream("PPG", 64.0, ["red", "green"]), "expected the channels .*, got 2 \\(red, green\\)"),
        (stream("ACC", 32.0, ["x", "y"]), "expected the channels x, y, z, got 2"),
        (stream("EEG", 256.0, ["O1", "O2"]), "expected the channels Fz, Cz by their names, got 2"),
        (stream("EEG", 256.0, ["", "", ""]), "expected the channels Fz, Cz"),
    ],
)
def test_a_stream_that_does_not(given, says):
    fits, problems = find_fits(FRONT_END, given)
    assert fits == []
    assert len(problems) == 1
    assert problems[0].startswith("stream 'Device' is no ")
    with pytest.raises(AssertionError, match=says):
        raise AssertionError(problems[0])


def test_the_types_of_channels_share_a_stream_out():
    given = stream(
        "Physiology", 256.0, ["a", "b", "c"], ["mV", "uV", "uV"], ["ECG", "EEG", "EEG"], "Opensignals"
    )
    fits, problems = find_fits(FRONT_END, given)
    assert [fit.modality for fit in fits] == ["ecg"]
    assert fits[0].rows == (0,)
    assert "no eeg" in problems[0]


def test_what_a_headset_sends_beside_its_electrodes_is_no_eeg():
    labels = ["Timestamp", "Counter", "Fz", "Right AUX", "Cz", "CQ_Fz"]
    fits, problems = find_fits(FRONT_END, stream("EEG", 256.0, labels, ["seconds", *[""] * 5], ["EEG"] * 6))
    assert problems == []
    assert [(fit.modality, fit.rows) for fit in fits] == [("eeg", (2, 4))]
    assert find_fits(FRONT_END, stream("EEG quality", 256.0, ["Fz", "Cz"])) == ([], [])
    muse = FrontEnd.wearable({"eeg": 256}, {"eeg": ("TP9", "Right AUX")})
    fits, _ = find_fits(muse, stream("EEG", 256.0, ["TP9", "AF7", "Right AUX"]))
    assert [fit.rows for fit in fits] == [(0, 2)]  # the bundle asks for it by name


def test_a_sensor_the_bundle_has_no_use_for_is_no_problem():
    assert find_fits(FRONT_END, stream("RESP", 32.0, ["r"])) == ([], [])
    assert find_fits(FRONT_END, stream("Gaze", 120.0, ["x", "y"])) == ([], [])


def test_a_fit_takes_its_rows_in_the_front_ends_unit():
    taken = Fit("eda", (2, 0), (1e-3, 1.0)).take(np.array([[1, 2, 3000], [4, 5, 6000]], np.int32))
    assert taken.dtype == np.float32
    assert taken.tolist() == [[3, 6], [1, 4]]
    assert np.isinf(Fit("eda", (0,), (1e300,)).take(np.array([[1e300]]))).all()
