# SPDX-License-Identifier: Apache-2.0
"""`mmq-bridge stream --replay` and `play` of good and broken recordings, with and without another reader."""

from importlib.metadata import EntryPoint

import pytest
from mmq_bridge.cli import main, readers
from mmq_bridge.cli.readers import open_recording
from mmq_bridge.decision.replay import Drop

from mmq_tf import pretrained


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    """No other distribution registered a reader."""
    monkeypatch.setattr(readers, "entry_points", lambda group: [])


def replay(monkeypatch, path):
    """Run the command `stream` as a user does; return its exit code."""
    return run(monkeypatch, "stream", pretrained.path("wrist-stress"), "--replay", path)


def run(monkeypatch, *arguments):
    """Run a command as a user does; return its exit code."""
    monkeypatch.setattr("sys.argv", ["mmq-bridge", *map(str, arguments)])
    try:
        main()
    except SystemExit as stop:
        return stop.code
    return 0


@pytest.mark.parametrize("form", ["e4", "described"])
def test_a_good_folder_is_replayed_though_too_short_to_decide(form, request, monkeypatch, capfd):
    assert replay(monkeypatch, request.getfixturevalue(form)) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("mmq-bridge: recording: 20 s are too short for one decision")
    assert err.count("\n") == 1


def remove(path):
    path.unlink()


def change(old, new):
    def edit(path):
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))

    return edit


@pytest.mark.parametrize(
    ("form", "file", "edit", "says"),
    [
        ("e4", "EDA.csv", change("0.5", "half"), "EDA.csv: row 3 must be one number; got 'half'."),
        ("e4", "EDA.csv", change("4.0", "0"), "EDA.csv: row 2 must be a rate above 0 and at most 100000 Hz"),
        ("described", "eda.npy", remove, "eda.npy: cannot be read (No such file or directory)."),
        ("described", "eda.npy", lambda path: path.write_bytes(b"x"), "eda.npy: expected a .npy file"),
        ("described", "recording.json", remove, "P1: expected a folder with recording.json or an Empatica"),
        (
            "described",
            "recording.json",
            change('["eda"], "samples": 80', '["eda"], "samples": 81'),
            "[channels, samples] = [1, 81]",
        ),
        ("described", "recording.json", change('"P1"', '""'), "subject must be a non-empty string"),
        ("described", "recording.json", change("{", "["), "recording.json: the file: Invalid JSON"),
        ("described", "recording.json", change('"eda":', '"../eda":'), "signals must be named eeg"),
    ],
)
def test_a_broken_folder_is_one_sentence(form, file, edit, says, request, monkeypatch, capfd):
    folder = request.getfixturevalue(form)
    edit(folder / file)
    assert replay(monkeypatch, folder) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("mmq-bridge: ")
    assert err.count("\n") == 1
    assert says in err


def test_a_reader_of_another_distribution_goes_first(e4, monkeypatch):
    found = EntryPoint("other", f"{__name__}:never", readers.GROUP)
    monkeypatch.setattr(EntryPoint, "load", lambda entry: lambda path: (entry.name, path))
    monkeypatch.setattr(readers, "entry_points", lambda group: [found] if group == readers.GROUP else [])
    assert open_recording(e4) == ("other", e4)


class Player:
    """Plays in no time, to nobody."""

    def __init__(self, *given):
        self.given = given

    def wait_for_listener(self, stop):
        assert not stop.is_set()

    def play(self):
        yield from (10.0, 20.5)

    def close(self):
        Player.last = self.given


def test_a_folder_is_played(described, monkeypatch, capfd):
    monkeypatch.setattr("mmq_bridge.sources.lsl_player.Player", Player)
    assert run(monkeypatch, "play", described, "--lsl", "--speed", 2, "--drop", "ppg@1-2") == 0
    signals, name, identity, simulated, speed, drops = Player.last
    assert (list(signals), name, identity) == (["ppg", "eda", "temp", "acc"], "P1", "mmq-tf-P1-2")
    assert (simulated, speed, drops) == (True, 2.0, [Drop("ppg", 1.0, 2.0)])
    out, err = capfd.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "SIMULATED P1 (ppg, eda, temp, acc): waiting for a listener; Ctrl-C ends",
        "played 20 of 20 s",
    ]


def test_a_broken_folder_is_not_played(described, monkeypatch, capfd):
    remove(described / "eda.npy")
    assert run(monkeypatch, "play", described, "--lsl") == 2
    assert capfd.readouterr().err.endswith("eda.npy: cannot be read (No such file or directory).\n")
