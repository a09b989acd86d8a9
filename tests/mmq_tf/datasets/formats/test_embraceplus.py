# SPDX-License-Identifier: Apache-2.0
"""EmbracePlus Avro files in the schema of Empatica: units, times, and how files become one session."""

from typing import Any

import numpy as np
import pytest
from fastavro import parse_schema, writer

from mmq_tf.datasets.formats.embraceplus import load_embraceplus
from mmq_tf.errors import MMQError

T0 = 1_700_000_000_000_000


def sensor(name, values):
    fields = [{"name": "timestampStart", "type": "long"}, {"name": "samplingFrequency", "type": "float"}]
    return {"type": "record", "name": name, "fields": [*fields, *values]}


def array(name, items):
    return {"name": name, "type": {"type": "array", "items": items}}


def schema(imu=("physicalMin", "physicalMax", "digitalMin", "digitalMax"), number="int"):
    """The parts of schema version 6 that matter here, with the names that Empatica publishes."""
    params = {
        "type": "record",
        "name": "ImuParams",
        "fields": [{"name": name, "type": number} for name in imu],
    }
    axes = [array(axis, "int") for axis in "xyz"]
    accelerometer = sensor("Accelerometer", [{"name": "imuParams", "type": params}, *axes])
    gyroscope = sensor("Gyroscope", [{"name": "imuParams", "type": "ImuParams"}, *axes])
    version = {
        "type": "record",
        "name": "Version",
        "fields": [{"name": n, "type": "int"} for n in ("major", "minor")],
    }
    raw = {
        "type": "record",
        "name": "RawData",
        "fields": [
            {"name": "accelerometer", "type": accelerometer},
            {"name": "gyroscope", "type": gyroscope},
            {"name": "eda", "type": sensor("Eda", [array("values", "float")])},
            {"name": "temperature", "type": sensor("Temperature", [array("values", "float")])},
            {"name": "bvp", "type": sensor("Bvp", [array("values", "float")])},
            {
                "name": "tags",
                "type": {"type": "record", "name": "Tags", "fields": [array("tagsTimeMicros", "long")]},
            },
        ],
    }
    fields = [
        {"name": "schemaVersion", "type": version},
        {"name": "fwVersion", "type": ["null", "Version"]},
        {"name": "deviceSn", "type": "string"},
        {"name": "rawData", "type": raw},
    ]
    return {"type": "record", "name": "Session", "namespace": "empatica.format.avro", "fields": fields}


IMU = {"physicalMin": -16, "physicalMax": 16, "digitalMin": -32768, "digitalMax": 32767}


def record(start_us=T0, seconds=10, bvp_hz=64.0, offset=0.0, imu=IMU, **changes):
    def values(rate, value, delay_us=0):
        count = round(seconds * rate)
        signal = [value + offset + n / 1000 for n in range(count)]
        return {"timestampStart": start_us + delay_us, "samplingFrequency": rate, "values": signal}

    def axes(names, count):
        return {
            "timestampStart": start_us,
            "samplingFrequency": 64.0,
            "imuParams": imu,
            **{name: [number * 2048] * count for number, name in enumerate(names)},
        }

    raw = {
        "accelerometer": axes("xyz", round(seconds * 64)),
        "gyroscope": {**axes("xyz", 0), "samplingFrequency": 0.0},
        "eda": values(4.0, 0.5, 250_000),
        "temperature": values(1.0, 33.0),
        "bvp": values(bvp_hz, -20.0),
        "tags": {"tagsTimeMicros": [start_us + 5_000_000]},
    }
    raw.update(changes)
    return {
        "schemaVersion": {"major": 6, "minor": 4},
        "fwVersion": None,
        "deviceSn": "3YK",
        "rawData": raw,
    }


@pytest.fixture
def write(tmp_path):
    def to_file(content=None, name="1-1-7_1700000000.avro", codec="deflate", of=None):
        path = tmp_path / name
        with path.open("wb") as file:
            writer(file, parse_schema(of or schema()), [content or record()], codec=codec)
        return path

    return to_file


@pytest.mark.parametrize("codec", ["null", "deflate"])
def test_one_file(write, codec):
    recording = load_embraceplus(write(codec=codec))
    assert recording.subject == "1-1-7"
    assert recording.source == "embraceplus"
    assert recording.digest
    got = {n: (s.unit, s.sampling_rate_hz, s.samples.shape) for n, s in recording.signals.items()}
    assert got == {
        "ppg": ("a.u.", 64, (1, 640)),
        "eda": ("uS", 4, (1, 40)),
        "temp": ("degC", 1, (1, 10)),
        "acc": ("g", 64, (3, 640)),
    }
    np.testing.assert_allclose(recording.signals["temp"].samples[0, :3], [33.0, 33.001, 33.002], rtol=1e-6)
    np.testing.assert_allclose(recording.signals["acc"].samples[:, 0], [0, 1, 2], rtol=1e-4)


def test_sensors_begin_where_they_say(write):
    recording = load_embraceplus(write())
    assert recording.signals["eda"].start_s == 0.25
    assert recording.signals["ppg"].start_s == 0


def test_acceleration_of_schema_6_5_comes_with_its_own_factor(write):
    content = record(imu={"conversionFactor": 1 / 2048})
    recording = load_embraceplus(write(content, of=schema(("conversionFactor",), "double")))
    np.testing.assert_allclose(recording.signals["acc"].samples[:, 0], [0, 1, 2], rtol=1e-6)


def test_files_that_follow_one_another_are_one_session(write, tmp_path):
    """Names do not tell the order: start times do."""
    write(record(T0 + 10_000_000, offset=100.0), "1-1-7_1.avro")
    write(record(T0), "1-1-7_2.avro")
    recording = load_embraceplus(tmp_path)
    pulse = recording.signals["ppg"].samples[0]
    assert pulse.shape == (1280,)
    assert np.isfinite(pulse).all()
    assert pulse[640] == pytest.approx(80)
    assert recording.signals["acc"].samples.shape == (3, 1280)


def test_a_gap_between_files_is_lost(write, tmp_path):
    write(record(T0), "1-1-7_1.avro")
    write(record(T0 + 25_000_000), "1-1-7_2.avro")
    recording = load_embraceplus(tmp_path)
    pulse = recording.signals["ppg"].samples[0]
    assert len(pulse) == 35 * 64
    assert np.flatnonzero(np.isnan(pulse)).tolist() == list(range(640, 1600))
    assert np.isnan(recording.signals["temp"].samples[0]).sum() == 15


def test_where_files_overlap_a_little_the_later_one_counts(write, tmp_path):
    write(record(T0), "1-1-7_1.avro")
    write(record(T0 + 9_500_000, offset=100.0), "1-1-7_2.avro")
    pulse = load_embraceplus(tmp_path).signals["ppg"].samples[0]
    assert len(pulse) == 19.5 * 64
    assert np.isfinite(pulse).all()
    assert pulse[607] == pytest.approx(-20 + 0.607)
    assert pulse[608] == pytest.approx(80)


def test_a_clock_a_little_slow_fills_the_nominal_grid(write):
    recording = load_embraceplus(write(record(seconds=200, bvp_hz=63.99)))
    pulse = recording.signals["ppg"]
    assert pulse.sampling_rate_hz == 64
    assert np.isfinite(pulse.samples).all()
    assert pulse.duration_s == pytest.approx(200, abs=0.05)
    at_s = 150.0
    assert pulse.samples[0, int(at_s * 64)] == pytest.approx(-20 + at_s * 63.99 / 1000, abs=2e-3)


def test_files_whose_clocks_differ_a_little_still_join(write, tmp_path):
    write(record(T0, bvp_hz=63.99), "1-1-7_1.avro")
    write(record(T0 + 9_990_000, bvp_hz=64.02), "1-1-7_2.avro")
    pulse = load_embraceplus(tmp_path).signals["ppg"]
    assert pulse.sampling_rate_hz == 64
    assert np.isfinite(pulse.samples).all()


def off(**more):
    return {"timestampStart": 0, "samplingFrequency": 0.0, "values": [], **more}


def test_a_sensor_that_was_off_is_absent(write, tmp_path):
    write(record(bvp=off()), "1-1-7_1.avro")
    assert load_embraceplus(tmp_path).modalities == ("eda", "temp", "acc")
    write(record(T0 + 10_000_000), "1-1-7_2.avro")
    recording = load_embraceplus(tmp_path)
    assert recording.signals["ppg"].start_s == 10
    assert recording.signals["ppg"].samples.shape == (1, 640)


def test_nothing_was_on(write):
    silent: dict[str, Any] = {name: off() for name in ("bvp", "eda", "temperature")}
    axes = {"timestampStart": 0, "samplingFrequency": 0.0, "imuParams": IMU, "x": [], "y": [], "z": []}
    with pytest.raises(MMQError, match="every sensor was off"):
        load_embraceplus(write(record(**silent, accelerometer=axes)))


@pytest.mark.parametrize(
    ("second", "name", "words"),
    [
        (record(T0), "1-1-7_2.avro", "Is one there twice?"),
        (record(T0 + 10_000_000), "1-1-8_2.avro", "files of one participant; got 1-1-7, 1-1-8"),
        (record(T0 + 10_000_000, bvp_hz=32.0), "1-1-7_2.avro", "bvp has 32 Hz, earlier files 64 Hz"),
        (record(T0 + 3 * 86_400_000_000), "1-1-7_2.avro", "they span 72 h"),
    ],
)
def test_files_that_do_not_belong_together(write, tmp_path, second, name, words):
    write(record(T0), "1-1-7_1.avro")
    write(second, name)
    with pytest.raises(MMQError, match=words.replace("?", r"\?")):
        load_embraceplus(tmp_path)


def test_no_files(tmp_path):
    with pytest.raises(MMQError, match=r"1 to 2000 \.avro files; found 0"):
        load_embraceplus(tmp_path)
    with pytest.raises(MMQError, match="found nothing"):
        load_embraceplus(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"bvp": {"timestampStart": -5, "samplingFrequency": 64.0, "values": [1.0]}},
            "bvp.timestampStart must be",
        ),
        (
            {"bvp": {"timestampStart": T0, "samplingFrequency": -1.0, "values": [1.0]}},
            "bvp.samplingFrequency must",
        ),
        (
            {"eda": {"timestampStart": T0, "samplingFrequency": float("nan"), "values": [1.0]}},
            "eda.samplingFreq",
        ),
        ({"eda": {"timestampStart": T0, "samplingFrequency": 4.0, "values": [float("inf")]}}, "got infinity"),
    ],
)
def test_values_that_cannot_be(write, changes, words):
    with pytest.raises(MMQError, match=words) as caught:
        load_embraceplus(write(record(**changes)))
    assert "1-1-7_1700000000.avro" in str(caught.value)


def test_axes_of_different_lengths_and_a_factor_of_nothing(write):
    axes = {
        "timestampStart": T0,
        "samplingFrequency": 64.0,
        "imuParams": IMU,
        "x": [1],
        "y": [1, 2],
        "z": [1],
    }
    with pytest.raises(MMQError, match="x, y and z must be of one length; got 1, 2, 1"):
        load_embraceplus(write(record(accelerometer=axes)))
    with pytest.raises(MMQError, match="positive number of g a count; got 0"):
        load_embraceplus(write(record(imu={**IMU, "digitalMax": -32768})))
