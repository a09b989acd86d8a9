import numpy as np
import pytest

from mmq_tf.datasets import load_e4
from mmq_tf.datasets.e4 import parse_csv


def write(folder, name, start, rate, rows):
    text = [",".join(f" {start:.6f}" for _ in range(rows.shape[1])).strip()]
    text.append(",".join(f" {rate:.6f}" for _ in range(rows.shape[1])).strip())
    text += [",".join(f"{value:g}" for value in row) for row in rows]
    (folder / name).write_text("\n".join(text) + "\n")


@pytest.fixture
def export(tmp_path):
    folder = tmp_path / "S99"
    folder.mkdir()
    write(folder, "BVP.csv", 1000.0, 64, np.arange(640.0)[:, None])
    write(folder, "EDA.csv", 1001.5, 4, np.full((34, 1), 0.5))
    write(folder, "ACC.csv", 1000.25, 32, np.tile([64.0, 0, -32], (320, 1)))
    (folder / "HR.csv").write_text("not a number\n")
    return folder


def test_sensors_are_aligned_by_their_start_rows(export):
    recording = load_e4(export)
    assert recording.subject == "S99"
    assert recording.trials == ()
    assert recording.modalities == ("ppg", "eda", "acc")
    starts = {name: signal.start_s for name, signal in recording.signals.items()}
    assert starts == {"ppg": 0.0, "eda": 1.5, "acc": 0.25}
    assert (recording.signals["ppg"].samples == np.arange(640)).all()
    assert recording.signals["ppg"].samples.dtype == np.float32


def test_units(export):
    signals = load_e4(export).signals
    assert signals["acc"].samples[:, 0].tolist() == [1.0, 0.0, -0.5]
    assert {name: signal.unit for name, signal in signals.items()} == {"ppg": "a.u.", "eda": "uS", "acc": "g"}
    assert signals["acc"].channels == ("x", "y", "z")


def test_a_changed_sample_changes_the_digest(export):
    before = load_e4(export).digest
    assert load_e4(export).digest == before
    text = (export / "EDA.csv").read_text()
    (export / "EDA.csv").write_text(text.replace("0.5\n", "0.6\n", 1))
    assert load_e4(export).digest != before


def test_windows_line_ends_and_a_byte_order_mark_are_read(tmp_path):
    data = b"\xef\xbb\xbf100.0\r\n4.0\r\n1.5\r\n-2\r\n"
    start, rate, rows = parse_csv(tmp_path / "EDA.csv", data, 1)
    assert (start, rate, rows.tolist()) == (100.0, 4.0, [[1.5], [-2.0]])


def test_a_lost_sample_may_be_written_as_nan(tmp_path):
    _, _, rows = parse_csv(tmp_path / "EDA.csv", b"1\n4\n0.5\nnan\n", 1)
    assert np.isnan(rows[1, 0])
