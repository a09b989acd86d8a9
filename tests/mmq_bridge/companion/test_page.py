# SPDX-License-Identifier: Apache-2.0
import base64
import io
import json
import re
import shutil
import zipfile
from typing import Any

import numpy as np
import pytest
from command_line import invoke
from e4_exports import write_e4
from mmq_bridge.bundle.golden import GoldenSignal
from mmq_bridge.cli.show import decision_line
from mmq_bridge.decision.bundle_files import NETWORK_FILE
from mmq_bridge.decision.deciding import Deciding
from mmq_bridge.decision.device import Device
from mmq_bridge.decision.display import display_average
from mmq_bridge.decision.manifest import Manifest
from mmq_bridge.front_end.front_end import FrontEnd, Normalisation

from mmq_tf import pretrained
from mmq_tf.cli import cli

TOKEN_S = 5.0


def faulty(signals):
    """Break each sensor for a while: a flat wave, a conductor that came off, a hot strap, lost samples."""
    for name, start_s, stop_s, value in (
        ("ppg", 1000, 1100, 0.0),
        ("eda", 1300, 1420, 0.0),
        ("temp", 1500, 1600, 60.0),
        ("acc", 2000, 2100, np.nan),
    ):
        rate = int(signals[name].sampling_rate_hz)
        signals[name].samples[:, start_s * rate : stop_s * rate] = value
    return signals


@pytest.fixture(scope="module")
def long_export(tiny, tmp_path_factory):
    """A SIMULATED recording of 55 minutes as an E4 export."""
    return write_e4(tmp_path_factory.mktemp("e4") / "S99", faulty(tiny.signals(3300.0)))


@pytest.fixture(scope="module")
def long_replay(long_export, browser, serve):
    return browser("replay", serve(pretrained.path("wrist-stress")), path=str(long_export), isDropped=True)


class Python:
    """What `mmq-tf stream --json` prints of a recording, and the features its core gave meanwhile."""

    def __init__(self, bundle, recording, monkeypatch):
        self.features = []
        due = Deciding.decisions

        def decided(deciding):
            said = due(deciding)
            while (token := deciding.bridge.pop_token()) is not None:
                self.features.append(token[0].tobytes().hex())
            return said

        with monkeypatch.context() as patch:
            patch.setattr(Deciding, "decisions", decided)
            arguments = ["stream", str(bundle), "--replay", str(recording), "--json"]
            done = invoke(cli, *arguments, catch_exceptions=False)
        self.decisions = [json.loads(line) for line in done.output.splitlines()]


def check_same(page, python):
    """Features and decisions bit for bit: every probability, and every word."""
    assert page["features"] == python.features
    assert page["decisions"] == python.decisions
    chances = {json.dumps(line["probabilities"]) for line in python.decisions}
    assert len(chances) > 20
    assert sum(bool(line["probabilities"]) for line in python.decisions) > 100


def test_55_minutes_are_decided_as_in_python(long_replay, long_export, monkeypatch):
    bundle = pretrained.path("wrist-stress")
    python = Python(bundle, long_export, monkeypatch)
    check_same(long_replay, python)
    reasons = {
        (name, why) for line in python.decisions for name, whys in line["absent"].items() for why in whys
    }
    assert {("ppg", "flat"), ("eda", "range"), ("temp", "range"), ("acc", "lost")} <= reasons


def test_55_minutes_replay_fast_and_take_no_more_memory(long_replay):
    """Over 200 times real time in the page's own processor time, whatever else the machine does."""
    assert long_replay["durationS"] > 3290
    assert not long_replay["isTrained"]
    assert long_replay["durationS"] / long_replay["busyS"] >= 200
    assert len(set(long_replay["wasm"])) == 1
    heap = long_replay["heap"]
    assert len(heap) == 4
    assert heap[-1] - min(heap) < 1_000_000


def test_a_real_recording_is_decided_as_in_python(mmq_data, browser, serve, tmp_path, monkeypatch):
    bundle = pretrained.path("wrist-stress")
    source = mmq_data / "stress_predict" / "Raw_data" / "S02"
    export = shutil.make_archive(str(tmp_path / "S02"), "zip", source)
    page = browser("replay", serve(bundle), path=export, isDropped=True)
    check_same(page, Python(bundle, source, monkeypatch))
    assert "stress_predict-S02" in Manifest.load(bundle).train_subjects
    assert page["isTrained"]


def test_a_sensor_switched_off_is_absent_within_one_token(browser, serve, tiny_bundle):
    said = browser("switching", serve(tiny_bundle), sensor="eda", key="2", untilS=100, offS=40)
    off, on = said["offAtS"], said["onAtS"]
    whole = [line for line in said["decisions"] if off + TOKEN_S <= line["time_s"] < on]
    assert len(whole) >= 6
    assert all(line["absent"]["eda"] == ["lost"] for line in whole)
    shares = [line["sensors"]["eda"] for line in whole]
    assert shares[0] < 1.0
    assert shares == sorted(shares, reverse=True)
    assert min(shares) == 0
    assert all("ppg" not in line["absent"] for line in whole)
    assert "eda" not in said["decisions"][-1]["absent"]
    assert (said["before"], said["during"], said["after"]) == (
        "measured",
        "switched off: imputed by the model",
        "measured",
    )
    assert said["checked"] == "false"
    assert said["isSaid"]
    assert said["simulated"] == "SIMULATED (model and recording)"
    assert len(said["rested"]) == 4
    assert all(said["rested"])


def averaged(times_s, chances) -> list[Any]:
    """The mean of the last 30 s; None where nothing was decided."""
    rows = np.array([list(one.values()) for one in chances if one])
    when = np.array([time_s for time_s, one in zip(times_s, chances, strict=True) if one])
    means = iter(display_average(np.zeros(len(rows), int), when, rows, 30.0))
    return [dict(zip(one, next(means).tolist(), strict=True)) if one else None for one in chances]


def test_the_average_is_shown_until_switched_off_and_never_saved(browser, serve, tiny_bundle):
    said = browser("averaging", serve(tiny_bundle), untilS=150)
    assert said["first"] == said["again"]
    assert (said["first"]["isOn"], said["off"]["isOn"]) == (True, False)
    assert said["raw"] == said["decisions"]
    raw = [line["probabilities"].get("stress") for line in said["raw"]]
    averages = averaged([line["time_s"] for line in said["raw"]], raw)
    for shown, chances in ((said["first"], averages), (said["off"], raw)):
        words = [f"{max(one, key=one.get)} {percent(max(one.values()))}" if one else "–" for one in chances]
        assert len(words) >= 25
        assert shown["table"] == words[::-1][:60]  # all it has room for
        assert shown["now"] == [percent(value) for value in chances[-1].values()]
    assert said["first"]["table"] != said["off"]["table"]
    assert all("shown" not in line for line in said["raw"])


def percent(share):
    return f"{int(100 * share + 0.5)} %"


def test_a_named_wearer_is_known_after_a_reload_until_forgotten(browser, serve, tiny_bundle):
    said = browser("wearers", serve(tiny_bundle), untilS=80, damage=True)
    nobody = ["", "", False, [], False]
    idle = [*nobody[:3], ["This session"], True]
    assert said["start"] == said["still"] == nobody
    assert said["unnamed"] == idle
    for reasons in (said["nameless"], said["first"]):
        assert reasons[0] == "enrolling (1 of 12 tokens measured)"
    assert said["after"] == [" Anna ", "kept: enrolled", True, ["This session"], True]
    assert said["reloaded"] == ["Anna", "kept: enrolled", True, ["simulated wearer"], True]
    assert said["second"][:2] == [
        "filling the first window (15 s left)",
        "filling the first window (10 s left)",
    ]
    assert said["damaged"][:2] == [
        "Anna",
        "cannot be used (state: the state was changed, or is none.)",
    ]
    assert said["problem"] == "Anna: state: the state was changed, or is none. Enrolling anew."
    assert said["third"][0] == "enrolling (1 of 12 tokens measured)"
    assert re.fullmatch(r"kept: enrolment, \d+ of 12 tokens measured", said["renewed"][1])
    assert said["forgotten"] == ["Anna", "nothing kept yet", False, ["This session"], True]
    assert said["end"] == nobody
    assert said["kept"][3:] == [["simulated wearer"], True]
    assert said["none"] == nobody
    assert said["databases"] == ["", 0, 0]


def test_purpose_and_quality_come_first(browser, serve, tiny_bundle):
    for bundle, words in (
        (tiny_bundle, "windows of SIMULATED people who did not train it"),
        (pretrained.path("wrist-stress"), "Nobody was kept out of its training"),
    ):
        said = browser("purpose", serve(bundle))
        assert not said["canBegin"]
        assert not said["isLive"]
        for wanted in ("estimates stress (rest, stress)", "Article 50", "Nothing leaves this device", words):
            assert wanted in said["said"]


def test_another_bundle_asks_again(browser, serve, tiny_bundle, tmp_path):
    path = shutil.make_archive(str(tmp_path / "other"), "zip", tiny_bundle)
    said = browser("otherBundle", serve(tiny_bundle), path=path)
    assert said["name"].startswith("tiny")
    assert not said["isLive"]
    assert not said["canBegin"]


def test_the_page_cannot_reach_another_host(browser, serve, tiny_bundle):
    assert browser("leak", serve(tiny_bundle)) == {"answer": "refused", "directive": "connect-src"}


def test_a_corrupt_bundle_gets_a_sentence(browser, serve, tiny_bundle):
    content = bytearray((tiny_bundle / NETWORK_FILE).read_bytes())
    content[1000] ^= 1
    said = browser("broken", serve(tiny_bundle, {f"/bundle/{NETWORK_FILE}": bytes(content)}))
    assert said["sentence"].startswith("mmq_network.bin: its SHA-256 is not the manifest's")
    assert not said["consent"]
    assert "drop one" in said["name"]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        (NETWORK_FILE, b"GGUF" * 100, "mmq_network.bin: it is no plan that this core knows"),
        (NETWORK_FILE, (pretrained.path("wrist-stress") / NETWORK_FILE).read_bytes(), "of the manifest, got"),
        ("mmq_bridge/mmq_spec.h", b"static const mmq_spec_t mmq_spec = {};", "mmq_spec.h: its modalities"),
        ("frontend.json", b'{"modalities": {}}', "its ppg is not the one of mmq_bridge/mmq_spec.h"),
        ("frontend.json", b"\xff\xfe", "expected UTF-8 text"),
    ],
)
def test_a_forged_bundle_gets_a_sentence(browser, serve, tiny, tiny_bundle, tmp_path, name, content, words):
    bundle = shutil.copytree(tiny_bundle, tmp_path / "bundle")
    (bundle / name).write_bytes(content)
    tiny.sign_again(bundle, [name])
    assert words in browser("broken", serve(bundle))["sentence"]


def test_a_bundle_without_a_plan_gets_a_sentence(browser, serve, tiny_bundle, tmp_path):
    folder = shutil.copytree(tiny_bundle, tmp_path / "old")
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["files"][NETWORK_FILE]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    path = shutil.make_archive(str(tmp_path / "old-bundle"), "zip", folder)
    said = browser("refusals", serve(tiny_bundle), paths=[path])
    assert said == [
        "This bundle has no mmq_network.bin, the network as this page runs it: export its run again "
        "(mmq-tf export RUN --int8 --out DIR)."
    ]


def zipped(members, method=zipfile.ZIP_DEFLATED):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def bad_files():
    """Return what is refused: the files that are chosen together, and what the sentence says."""
    rows = "1700000000.0\n4.0\n" + "0.5\n" * 40
    good = zipped({"EDA.csv": rows})
    zeros = bytes(70 * 2**20)
    return [
        ({"x.zip": zipped({"../EDA.csv": rows})}, "leaves the archive's folder"),
        ({"x.zip": zipped({"C:/EDA.csv": rows})}, "no plain relative name"),
        ({"x.zip": zipped({"EDA.csv": zeros})}, "not an archive of recordings"),
        ({"x.zip": good[:-30]}, "no zip archive, or one cut short"),
        ({"x.zip": zipped({"a/EDA.csv": rows, "b/EDA.csv": rows})}, "in several folders"),
        ({"x.zip": zipped({"notes.txt": "no sensors"})}, "found none of them"),
        ({"x.zip": b"PK"}, "no zip archive"),
        ({"EDA.csv": rows.removesuffix("\n").encode()}, "its last row has no line end"),
        ({"EDA.csv": rows.replace("0.5", "half", 1).encode()}, 'row 3 must be one number; got "half"'),
        ({"EDA.csv": rows.replace("4.0", "0", 1).encode()}, "row 2 must be a rate above 0"),
        ({"EDA.csv": rows.replace("4.0", "8.0", 1).encode()}, "expected 1 channel(s) at 4 Hz"),
        ({"ACC.csv": rows.encode()}, "row 1 must be a start in Unix seconds, the same 3 times"),
        ({"EDA.csv": b""}, "the file is empty"),
        (
            {"EDA.csv": rows.encode(), "TEMP.csv": rows.replace("17000", "17001").encode()},
            "after the earliest sensor's",
        ),
        ({"EDA.csv": (rows + "1\n" * 400).encode(), "TEMP.csv": rows.encode()}, "so it was cut short"),
    ]


def test_bad_recordings_get_a_sentence(browser, serve, tiny_bundle):
    cases = bad_files()
    given = [
        [{"name": name, "content": base64.b64encode(content).decode()} for name, content in files.items()]
        for files, _ in cases
    ]
    said = browser("refusals", serve(tiny_bundle), cases=given)
    for (files, words), sentence in zip(cases, said, strict=True):
        assert words in sentence, (list(files), sentence)
        assert not sentence.startswith("Unexpected"), sentence


def test_a_heart_rate_strap(browser, serve, tiny_bundle):
    second = [0b10110, 60, 0, 4]  # contact on, 60 beats/min, one interval of 1024/1024 s
    other = [0b10110, 61, 51, 4]
    wide = [0b01101, 0x2C, 1, 9, 9]  # 16-bit 300 beats/min, contact off, energy
    said = browser("strap", serve(tiny_bundle), values=[second, other] * 6 + [[0], wide])
    assert said["options"] == {"filters": [{"services": ["heart_rate"]}]}
    assert said["service"] == "heart_rate"
    wanted = (
        "This model reads pulse wave, skin conductance, skin temperature, movement: it has no use for a strap"
    )
    assert said["use"].startswith(wanted)
    assert said["facts"][0] == ["Made-up strap", "60", "on the skin", "–"]
    assert said["facts"][11] == ["Made-up strap", "61", "on the skin", "50"]
    assert said["facts"][12] == said["facts"][11]
    assert said["facts"][13] == ["Made-up strap", "300", "off the skin", "–"]
    assert said["facts"][14][0] == "Made-up strap: disconnected"
    assert said["state"] == "idle"  # nothing is played


@pytest.fixture(scope="module")
def ecg_bundle(tiny, tmp_path_factory):
    """A bundle that reads an ECG alone, without enrolment and without its code."""
    bare = FrontEnd.wearable({"ecg": 250}, tokens=2, frontend_version=3)
    norm = Normalisation(mode="population", mean=(0.1,) * bare.n_features, std=(1.3,) * bare.n_features)
    beat = np.exp(-(((np.arange(60 * 250) / 250 % 0.8) - 0.4) ** 2) / 2e-4).astype(np.float32)
    out = tmp_path_factory.mktemp("ecg") / "bundle"
    signals = {"ecg": GoldenSignal(beat[None], 250.0, 0.0)}
    tiny.write(out, front_end=bare.with_normalisation(norm), golden_signals=signals, code=False)
    return out


def test_a_heart_rate_strap_decides_where_the_model_reads_an_ecg(browser, serve, ecg_bundle):
    """The page's decisions are those of Python about what the page drew from the beats."""
    said = browser("strapDecides", serve(ecg_bundle), ticks=819, beats=60, silentS=30)
    assert said["use"].startswith(
        "This model reads an ECG: one is drawn from the time between the strap's beats"
    )
    assert re.fullmatch(r"(rest|stress) \d+ %", said["worn"]["now"])
    assert said["worn"]["sensor"] == "measured"
    assert said["lost"]["sensor"] == "imputed: no signal"
    assert said["facts"][0] == "Made-up strap: disconnected"
    device, wanted, drawn = Device.from_bundle(ecg_bundle), [], []
    for name, content, time_s in said["pushed"]:
        if name is None:
            wanted += device.advance(time_s)
        else:
            samples = np.frombuffer(bytes.fromhex(content), np.float32)
            wanted += device.push(name, samples[None], time_s)
            drawn.append(samples)
    wave = np.concatenate(drawn)
    (tops,) = np.nonzero((wave[1:-1] > 0.5) & (wave[1:-1] >= wave[:-2]) & (wave[1:-1] > wave[2:]))
    assert len(tops) >= 50
    assert set(np.diff(tops)) <= {199, 200, 201}  # 819/1024 s at 250 Hz
    assert len(wanted) >= 14
    lines = [json.loads(decision_line(one, True, None)) for one in wanted]
    unknown = {"time_unix_s": None, "time_utc": None}
    assert [line | unknown for line in said["decisions"]] == lines
    decided = [line["time_s"] for line in lines if line["probabilities"]]
    assert len(decided) >= 7
    assert lines[-1]["absent"] == {"ecg": ["lost"]}
    assert not lines[-1]["probabilities"]


def test_no_strap_is_chosen(browser, serve, tiny_bundle):
    said = browser("strap", serve(tiny_bundle), values=[], refuses=True)
    assert said == {"sentence": "No strap was chosen.", "german": "Kein Gurt wurde gewählt."}


def test_it_stands_on_a_phone_and_a_desk(browser, serve, tiny_bundle):
    """In light and dark nothing is wider than the screen, and axe finds no violation."""
    stands = browser("standing", serve(tiny_bundle))
    assert stands["violations"] == []
    assert stands["passes"] > 200
    assert [width for width, _ in stands["widths"]] == [1280] * 2 + [360] * 8
    assert all(shown <= width for width, shown in stands["widths"])
    assert stands["grounds"].count("#ffffff") == 5
    time, decision, *shares, _ = stands["row"]
    assert re.fullmatch(r"\d\d:\d\d (rest|stress) \d+ %", f"{time} {decision}")
    assert len(shares) == 4
    assert all(share.endswith(" %") for share in shares)


def test_the_keyboard_is_enough(browser, serve, tiny_bundle):
    wanted = {"language": "language", "first": "agree", "second": "simulate"}
    assert browser("keyboard", serve(tiny_bundle)) == wanted


def test_what_is_awaited_is_said(browser, serve, tiny_bundle):
    said = browser("awaiting", serve(tiny_bundle), untilS=32)
    assert said["before"] == "Start a source to see an estimate."
    assert said["title"] == "Getting to know this wearer"
    left_s = (12 - 6 + 4) * TOKEN_S
    assert said["first"] == f"First estimate in about {left_s / 60:.0f} s at this speed."
    assert said["shares"] == ["50 %"] * 4


def test_marks_are_made_in_the_chart_and_kept(browser, serve):
    said = browser("marking", serve(pretrained.path("wrist-stress")), untilS=1200)
    assert not said["awaited"]
    assert re.fullmatch(r"\d\d:\d\d · (rest|stress) \d+ %", said["tip"])
    assert said["pick"].startswith(said["tip"])
    assert all(re.fullmatch(r"1\d:\d[05] to 1\d:\d[05] was", asked) for asked in said["asked"])
    assert len(said["marks"]) == 2
    assert re.fullmatch(r"1\d:\d[05] – 1\d:\d[05] rest [1-8] windows used", said["marks"][0])
    assert said["text"].endswith("Only one stretch of “stress” is marked: mark a second, different one.")
    assert "overlaps" in said["overlap"]
    assert re.fullmatch(r"\d\d:\d[05] to \d\d:\d[05] was", said["byKeys"])
    start, stop = re.findall(r"from (\d+):(\d+) to (\d+):(\d+)", said["zoomed"])[0][::2]
    assert int(stop) - int(start) in (6, 7)
    assert re.fullmatch(r"kept: enrolled, \d+ marked windows", said["kept"])
    assert said["again"] == said["marks"]
    assert said["german"][0] == "Verlauf"
    assert said["german"][2] == "Simulierte Person"


def test_it_opens_without_its_server(browser, serve, tiny_bundle):
    said = browser("offline", serve(tiny_bundle), isOffline=True)
    assert said["name"].startswith("tiny")
    assert (said["start"], said["icons"]) == ("./", 1)
