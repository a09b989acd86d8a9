# SPDX-License-Identifier: Apache-2.0
"""`personalise` says what it used, what is asked for and what changes; bad input is one sentence."""

from types import SimpleNamespace

import numpy as np
import pytest
from command_line import invoke, printed, run_main
from mmq_bridge.cli.host import Host
from mmq_bridge.cli.personalise import personalise_command
from mmq_bridge.decision.device import Device
from mmq_bridge.errors import BridgeError
from mmq_bridge.front_end.head_tables import HeadTables

HEADER = "label,start_s,stop_s\n"


@pytest.fixture(scope="module")
def worn(tiny):
    return SimpleNamespace(signals=tiny.signals(500.0), subject="anna", simulated=True, trials=())


@pytest.fixture(scope="module")
def command(worn):
    return personalise_command(Host("mmq-bridge", lambda path: worn, lambda report: None))


@pytest.fixture(scope="module")
def bundle(tiny, tmp_path_factory):
    folder, front_end = tmp_path_factory.mktemp("personal") / "bundle", tiny.front_end()
    count, sizes = front_end.n_features, list(front_end.feature_layout.feature_sizes.values())
    tables = HeadTables(
        task="stress",
        tokens=front_end.tokens,
        n_modalities=len(sizes),
        n_features=count,
        column=tuple(range(count)),
        owner=tuple(np.repeat(np.arange(len(sizes)), sizes).tolist()),
        centre=(0.0,) * count,
        scale=(2.0,) * count,
        component=tuple(map(tuple, np.random.default_rng(0).standard_normal((6, count)))),
    )
    tiny.write(folder, front_end=front_end, head=tables, code=False)
    return folder


@pytest.fixture
def marks(tmp_path):
    path = tmp_path / "marks.csv"

    def write(*rows, header=HEADER):
        path.write_text(header + "".join(f"{row}\n" for row in rows))
        return path

    return write


def test_what_was_used_and_what_changes_is_said_and_kept(command, bundle, worn, marks, tmp_path):
    out = tmp_path / "anna.state"
    table = marks("rest,100,200", "stress,200,260", "stress,300,400")
    lines = printed(command, bundle, "--recording", "x", "--marks", table, "--out", out).splitlines()
    assert lines[0] == "SIMULATED tiny on anna: 85 decisions up to 500 s"
    assert lines[1:4] == [
        "  rest  100 to 200 s: 6 windows used",
        "  stress  200 to 260 s: 3 windows used",
        "  stress  300 to 400 s: 6 windows used",
    ]
    inside = 17 + 9 + 17  # windows of 20 s every 5 s
    assert lines[4].startswith(f"of {inside} decisions inside what is marked ")
    assert lines[5].startswith(f"of {85 - inside} others ")
    again = Device.from_bundle(bundle)
    again.load_state(out)
    assert again.personal
    assert again.personal.counts == {"rest": 6, "stress": 9}


def test_the_counts_are_those_of_the_decisions(command, bundle, worn, marks):
    """Right without and with the marks, and changes elsewhere, counted again from a device's decisions."""
    device = Device.from_bundle(bundle)
    before = device.decide(worn)
    lines = printed(command, bundle, "--recording", "x", "--marks", marks("rest,100,200", "stress,200,400"))
    classes = {d.time_s: d.classes["stress"] for d in before if d.probabilities}
    spans = {"rest": (100, 200), "stress": (200, 400)}
    right = sum(
        said == label
        for time_s, said in classes.items()
        for label, (start_s, stop_s) in spans.items()
        if start_s <= time_s - 20 and time_s <= stop_s
    )
    assert f"inside what is marked {right} were right without the marks" in lines


def test_a_second_different_stretch_is_asked_for(command, bundle, marks):
    said = printed(command, bundle, "--recording", "x", "--marks", marks("rest,100,200", "stress,200,300"))
    assert "mark a second, different one" in said
    said = printed(command, bundle, "--recording", "x", "--marks", marks("stress,200,300"))
    assert "Nothing is corrected yet: mark at least 2 windows of 20 s of rest" in said
    assert "none changes" in said


def test_advice_needs_no_marks(command, bundle, marks):
    said = printed(command, bundle, "--recording", "x", "--advise").splitlines()
    assert said[1] == "to mark next, the least decided first:"
    assert len(said) == 7
    sure = [abs(float(line.split()[-1]) - 0.5) for line in said[2:]]
    assert sure == sorted(sure)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected label,start_s,stop_s as the first line"),
        (HEADER, "expected at least one mark"),
        (HEADER + "rest,1\n", "line 2: expected a label and two times in s, got 'rest,1'"),
        (HEADER + "rest,a,b\n", "line 2: expected a label and two times in s"),
        (HEADER + "\nrest,100,200\njoy,200,300\n", "line 4: mark: expected rest or stress, got 'joy'"),
        (HEADER + "rest,900,1000\n", "line 2: mark: no window of 20 s"),
        ("\xff", "expected label"),
    ],
)
def test_a_bad_table_is_refused_by_name(command, bundle, tmp_path, text, said):
    path = tmp_path / "marks.csv"
    path.write_text(text)
    with pytest.raises(BridgeError, match=said) as refusal:
        printed(command, bundle, "--recording", "x", "--marks", path)
    assert str(refusal.value).startswith(str(path))
    assert "\n" not in str(refusal.value)


def test_what_is_not_there_is_named(command, bundle, tiny_bundle, tmp_path, marks):
    with pytest.raises(BridgeError, match="there is no such file"):
        printed(command, bundle, "--recording", "x", "--marks", tmp_path / "none.csv")
    with pytest.raises(BridgeError, match="has no personal head"):
        printed(command, tiny_bundle, "--recording", "x", "--advise")
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe")
    with pytest.raises(BridgeError, match="UTF-8"):
        printed(command, bundle, "--recording", "x", "--marks", tmp_path / "bytes.csv")
    assert invoke(command, bundle, "--recording", "x").exit_code == 2


def test_mmq_tf_has_the_command_too(bundle, tmp_path, monkeypatch, capfd):
    code = run_main(
        monkeypatch, "personalise", bundle, "--recording", tmp_path, "--marks", tmp_path / "none.csv"
    )
    assert code == 2
    shown = capfd.readouterr()
    assert shown.out == ""
    assert shown.err == (
        f"mmq-tf: {tmp_path / 'none.csv'}: expected a table label,start_s,stop_s; there is no such file.\n"
    )
