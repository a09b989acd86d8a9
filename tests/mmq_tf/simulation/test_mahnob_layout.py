# SPDX-License-Identifier: Apache-2.0
"""The SIMULATED sessions of MAHNOB-HCI and the BDF writer, as other software sees them."""

from xml.etree import ElementTree

import mne
import numpy as np
import pytest

from mmq_tf.datasets.formats.files.edf import check_edf
from mmq_tf.datasets.mahnob_hci import EEG
from mmq_tf.errors import MMQError
from mmq_tf.simulation.layouts import LAYOUTS
from mmq_tf.simulation.layouts.bdf import write_bdf

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("layout")
    list(LAYOUTS["mahnob_hci"](root, 1, 3, True))
    return root


def test_sessions_are_numbered_and_named_as_published(folder):
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.*"))
    assert files == [
        "Sessions/1/Part_1_N_Trial1_emotion.bdf",
        "Sessions/1/session.xml",
        *(
            f"Sessions/{2 * trial}/{name}"
            for trial in (1, 2, 3, 4)
            for name in (f"Part_1_S_Trial{trial}_emotion.bdf", "session.xml")
        ),
    ]
    for number in (1, 2, 4, 6, 8):
        root = ElementTree.parse(folder / "Sessions" / str(number) / "session.xml").getroot()
        assert (root.tag, root.get("sessionId"), root.get("cutNr")) == ("session", str(number), str(number))
        assert ("feltVlnc" in root.attrib) == (number > 1)
        subject = root.find("subject")
        assert subject is not None
        assert subject.get("id") == "1"


def test_channels_of_a_session_as_published(folder):
    header = check_edf(folder / "Sessions" / "2" / "Part_1_S_Trial1_emotion.bdf")
    labels = [signal.label for signal in header.signals]
    assert labels[:32] == list(EEG)
    assert labels[32:] == [
        *(f"EXG{i}" for i in range(1, 9)),
        *("GSR1", "GSR2", "Erg1", "Erg2", "Resp", "Temp", "Status"),
    ]
    assert {signal.sampling_rate_hz for signal in header.signals} == {256}
    units = {signal.label: signal.unit for signal in header.signals}
    assert [units[name] for name in ("Cz", "EXG3", "GSR1", "Resp", "Temp", "Status")] == [
        *("uV", "uV", "Ohm", "uV", "C", "Boolean")
    ]


def test_the_same_seed_gives_the_same_files_and_another_does_not(folder, tmp_path):
    path = "Sessions/4/Part_1_S_Trial2_emotion.bdf"
    content = []
    for seed in (3, 4):
        (tmp_path / str(seed)).mkdir()
        list(LAYOUTS["mahnob_hci"](tmp_path / str(seed), 1, seed, True))
        content.append((tmp_path / str(seed) / path).read_bytes())
    assert content[0] == (folder / path).read_bytes()
    assert content[0] != content[1]


def test_everyone_meets_the_same_clips(tmp_path):
    list(LAYOUTS["mahnob_hci"](tmp_path, 2, 0, True))
    shown = []
    for first in (0, 130):
        roots = [
            ElementTree.parse(tmp_path / "Sessions" / str(first + cut) / "session.xml").getroot()
            for cut in (2, 4, 6, 8)
        ]
        shown.append([(root.get("mediaFile"), root.get("cutLenSec")) for root in roots])
    assert shown[0] != shown[1]
    assert sorted(shown[0]) == sorted(shown[1])


# ---- the writer of BDF


def test_mne_reads_samples_and_triggers(tmp_path):
    rng = np.random.default_rng(0)
    rows = np.stack([rng.normal(0, 50, 512 * 70), rng.uniform(1e4, 9e5, 512 * 70)]).astype(np.float32)
    status = np.zeros(512 * 70, int)
    status[1000:1010], status[5000:5001], status[30_000:30_400] = 4, 65_535, 268
    path = tmp_path / "a.bdf"
    write_bdf(
        path, ["Cz", "GSR1"], rows, 512, status=status, units={"GSR1": "Ohm"}, ranges={"GSR1": (0, 1e6)}
    )
    raw = mne.io.read_raw_bdf(path, preload=True, verbose="ERROR")
    assert raw.ch_names == ["Cz", "GSR1", "Status"]
    assert raw.info["sfreq"] == 512
    np.testing.assert_allclose(raw.get_data("Cz")[0] * 1e6, rows[0], atol=0.016)  # half of 31.25 nV
    np.testing.assert_allclose(raw.get_data("GSR1")[0], rows[1], atol=0.04)
    events = mne.find_events(raw, shortest_event=1, verbose="ERROR")
    assert events[:, [0, 2]].tolist() == [[1000, 4], [5000, 65_535], [30_000, 268]]


def test_the_status_word_has_the_bits_of_biosemi(tmp_path):
    path = tmp_path / "a.bdf"
    write_bdf(path, ["Cz"], np.zeros((1, 128)), 64, status=np.full(128, 16))
    words = np.frombuffer(path.read_bytes()[256 * 3 :], np.uint8).reshape(2, 2, 64, 3)[:, 1].reshape(-1, 3)
    values = words.astype(int) @ [1, 256, 65536]
    assert values[0] == 0x910010  # MK2, CMS in range, new epoch
    assert set(values[1:]) == {0x900010}


def test_the_ends_of_the_range_are_written_whole(tmp_path):
    path = tmp_path / "a.bdf"
    rows = np.tile([-262144.0, 262143.0], 32)[None]
    write_bdf(path, ["Cz"], rows, 64)
    raw = mne.io.read_raw_bdf(path, verbose="ERROR")
    np.testing.assert_allclose(raw.get_data()[0] * 1e6, rows[0], rtol=1e-9)
    assert "SIMULATED" in path.read_bytes()[:256].decode("latin-1")


@pytest.mark.parametrize(
    ("channels", "samples", "settings", "words"),
    [
        (["Cz"], np.zeros((2, 64)), {}, "a row a channel"),
        (["Cz"], np.zeros((1, 0)), {}, "a row a channel"),
        (["Cz"], np.zeros((1, 65)), {}, "whole number of seconds"),
        (["Cz"], np.full((1, 64), 3e5), {}, "channel Cz must lie within -262144 to 262143"),
        (["Cz"], np.full((1, 64), np.nan), {}, "channel Cz must lie within"),
        (["Cz"], np.zeros((1, 64)), {"status": np.full(64, 65_536)}, "codes from 0 to 65535"),
        (["Cz"], np.zeros((1, 64)), {"status": np.zeros(63, int)}, "status must be"),
        (["a name too long for it"], np.zeros((1, 64)), {}, "must fit into 16 characters"),
    ],
)
def test_what_cannot_be_written_is_refused(tmp_path, channels, samples, settings, words):
    with pytest.raises(MMQError, match=words):
        write_bdf(tmp_path / "a.bdf", channels, samples, 64, **settings)
