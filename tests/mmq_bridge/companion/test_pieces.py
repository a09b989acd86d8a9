# SPDX-License-Identifier: Apache-2.0
import base64
import io
import itertools
import json
import re
import struct
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pytest
from mmq_bridge.core_binding.decision import CDecision, Display, Rules, TaskRules, abstention_name
from mmq_bridge.core_binding.library import library
from mmq_bridge.core_binding.native import Bridge
from mmq_bridge.core_binding.network import Network
from mmq_bridge.core_binding.spec_header import spec_header
from mmq_bridge.decision.bundle_files import NETWORK_FILE
from mmq_bridge.front_end.front_end import FrontEnd, Normalisation
from mmq_bridge.packing.web import WEB

from mmq_tf import pretrained

SCRIPT = Path(__file__).with_name("pieces.mjs")
RATES_HZ = {
    "eeg": 250,
    "ecg": 250,
    "ppg": 64,
    "eda": 4,
    "temp": 4,
    "acc": 32,
    "eog": 250,
    "emg": 1000,
    "resp": 32,
}
CHANNELS = {"eeg": ("Fz", "Cz", "Pz")}


@pytest.fixture(scope="module")
def pieces(node):
    """A function that runs a scenario of ``pieces.mjs``."""

    def run(scenario, **given):
        text = json.dumps({"scenario": scenario, **given})
        command = [node, str(SCRIPT), str(WEB)]
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


@pytest.fixture(scope="module")
def wearer(pieces):
    """Forty seconds of the simulated wearer with every sensor there is, and its front end."""
    front_end = FrontEnd.wearable(RATES_HZ, CHANNELS)
    modalities = [
        {"name": name, "channels": len(one.channels), "rateHz": one.sampling_rate_hz}
        for name, one in front_end.modalities.items()
    ]
    lived = pieces("simulate", header=spec_header(front_end), modalities=modalities, seconds=40)
    return front_end, lived


def test_the_core_in_webassembly_gives_the_bits_of_the_one_here(wearer):
    front_end, lived = wearer
    bridge, tokens = Bridge(front_end), []
    for chunk in lived["chunks"]:
        rows = len(front_end.modalities[chunk["name"]].channels)
        samples = np.frombuffer(bytes.fromhex(chunk["samples"]), np.float32).reshape(rows, -1)
        bridge.push(chunk["name"], samples, chunk["timeS"])
        while (token := bridge.pop_token()) is not None:
            tokens.append(token)
    assert len(tokens) >= 7
    assert [token["number"] for token in lived["tokens"]] == list(range(len(tokens)))
    assert [token["features"] for token in lived["tokens"]] == [
        features.tobytes().hex() for features, _ in tokens
    ]
    assert [token["presence"] for token in lived["tokens"]] == [presence.tolist() for _, presence in tokens]
    for token in lived["tokens"]:
        assert token["reasons"] == bridge.reason_bits(token["number"]).tolist()


@pytest.fixture(scope="module")
def remembering():
    """A front end of version 3 with look-backs over ten tokens."""
    bare = FrontEnd.wearable({"eda": 4, "temp": 4, "acc": 32}, token_s=1, tokens=2, frontend_version=3)
    count = bare.n_features
    norm = Normalisation(
        mode="enrolment", mean=(0.1,) * count, std=(1.3,) * count, enrolment_s=3, look_back_s=10
    )
    return bare.with_normalisation(norm)


def test_look_backs_are_the_same_bits_and_part_of_their_modality(pieces, remembering):
    modalities = [
        {"name": name, "channels": len(one.channels), "rateHz": one.sampling_rate_hz}
        for name, one in remembering.modalities.items()
    ]
    header = spec_header(remembering)
    lived = pieces("simulate", header=header, modalities=modalities, seconds=40)
    bridge, tokens = Bridge(remembering), []
    for chunk in lived["chunks"]:
        rows = len(remembering.modalities[chunk["name"]].channels)
        samples = np.frombuffer(bytes.fromhex(chunk["samples"]), np.float32).reshape(rows, -1)
        bridge.push(chunk["name"], samples, chunk["timeS"])
        while (token := bridge.pop_token()) is not None:
            tokens.append(token[0])
    assert [token["features"] for token in lived["tokens"]] == [row.tobytes().hex() for row in tokens]
    layout = remembering.feature_layout
    assert np.array(tokens)[:, layout.look_backs].any()
    (said,) = pieces("decide", cases=[{"header": header, "chunks": [], "untilS": 0}])
    assert said["slices"] == [[part.start, part.stop] for part in layout.feature_slices.values()]


def test_a_state_goes_from_here_to_webassembly_and_back(pieces):
    """The same bytes in both directions, the same refusals, and the enrolment goes on."""
    front_end = FrontEnd.wearable({"ppg": 64, "eda": 4, "acc": 32}, tokens=2)
    count = front_end.n_features
    norm = Normalisation(mode="enrolment", mean=(0.1,) * count, std=(1.3,) * count, enrolment_s=20)
    front_end = front_end.with_normalisation(norm)
    bridge, rng, states = Bridge(front_end), np.random.default_rng(4), []
    for k in range(6):
        states.append(bridge.save())
        for name, one in front_end.modalities.items():
            n = round(5 * one.sampling_rate_hz)
            noise = rng.standard_normal((len(one.channels), n)).astype(np.float32)
            bridge.push(name, (1 + 0.1 * noise).astype(np.float32), 5.0 * k)
    flipped = bytearray(states[3])
    flipped[40] ^= 8
    foreign = Bridge(front_end.with_normalisation(norm.model_copy(update={"prior_tokens": 7.0}))).save()
    bad = [states[3][:-4], bytes(flipped), foreign, b"", bytes(2_000_000)]
    said = pieces("restart", header=spec_header(front_end), states=[one.hex() for one in [*states, *bad]])
    assert [one["saved"] for one in said[:6]] == [state.hex() for state in states]
    assert [one["left"] for one in said[:6]] == [4, 3, 2, 1, 0, 0]
    told = [f"{measured} of 4 tokens measured" for measured in range(4)]
    assert [one["enrolment"] for one in said[:6]] == [*told, None, None]
    assert [one["reason"] for one in said[:6]] == [
        "enrolling (0 of 4 tokens measured)",  # the token that closes here measured nothing
        "enrolling (1 of 4 tokens measured)",
        "enrolling (2 of 4 tokens measured)",
        "enrolling (3 of 4 tokens measured)",
        "filling the first window (5 s left)",
        "filling the first window (5 s left)",
    ]
    words = (
        "is cut short",
        "was changed, or is none",
        "is of another front end",
        "is cut short",
        "was changed",
    )
    for wanted, one in zip(words, said[6:], strict=True):
        assert wanted in one["refused"]
        assert one["same"]


@pytest.mark.parametrize("display_s", [30.0, 0.0, 12.5, 600.0])
def test_the_page_shows_what_python_shows(pieces, remembering, display_s):
    """The average and the class after it, bit for bit."""
    rng, rules = np.random.default_rng(1), Rules([TaskRules(2, 1.0, 0.6), TaskRules(3)])
    display = Display(rules, display_s, 601)
    given, wanted = [], []
    for k in np.flatnonzero(rng.random(80) < 0.7).tolist():
        p = rng.random(2)
        row = [1 - p[0], p[0], p[1] / 2, p[1] / 2, 1 - p[1]] if rng.random() < 0.9 else []
        said = CDecision(time_s=1.0 * k, n_probabilities=len(row))
        said.probability[: len(row)] = row
        given.append({"timeS": 1.0 * k, "probability": row})
        wanted.append(display.show(said))
    decision = {
        "tasks": {"stress": ["rest", "stress"], "valence": ["low", "middle", "high"]},
        "min_confidence": {"stress": 0.6},
        "every_tokens": 1,
        "min_present_share": 0,
    }
    header = spec_header(remembering)
    found = pieces("display", header=header, decision=decision, decisions=given, displayS=display_s)
    for one, other in zip(found, wanted, strict=True):
        assert one["probability"] == other.probability[: other.n_probabilities]
        assert (one["best"], one["sure"]) == (other.best[0], other.sure)
        assert one["abstains"] == abstention_name(other.abstention)
    assert {one["abstains"] for one in found} == {"decided", "confidence under threshold"}


def test_the_network_in_webassembly_gives_the_bits_of_the_one_here(pieces):
    """On random windows, extremes and absent sensors; what is no plan is refused in a sentence."""
    plan = (pretrained.path("wrist-stress") / NETWORK_FILE).read_bytes()
    network, rng, windows = Network(plan), np.random.default_rng(5), []
    for number in range(60):
        values = (lambda n: rng.integers(-128, 128, n), lambda n: rng.choice([-128, 127], n))[number % 2]
        window = {name: values(port.count).astype(np.int8) for name, port in network.inputs.items()}
        if number % 3:
            hidden = rng.random(network.inputs["presence"].count) < number / 60
            window["presence"] = np.where(hidden, -128, 127).astype(np.int8)
        windows.append(window)
    lists = [{name: values.tolist() for name, values in window.items()} for window in windows]
    plans = [plan, b"", plan[:4000], b"X" + plan[1:], b"PK\3\4" * 999]
    given = [base64.b64encode(one).decode() for one in plans]
    said, *refused = pieces("networks", plans=given, windows=lists)
    assert said["said"] == [network.run(window)["stress"].tolist() for window in windows]
    assert len({tuple(row) for row in said["said"]}) > 30
    for side, ports in (("inputs", network.inputs), ("outputs", network.outputs)):
        wanted = {
            name: {"at": p.at, "count": p.count, "scale": p.scale, "zeroPoint": p.zero_point}
            for name, p in ports.items()
        }
        assert dict(said[side]) == wanted
    assert len(refused) == 4
    assert all(
        text.startswith("BundleError: mmq_network.bin: it is no plan that this core") for text in refused
    )


def test_what_is_kept_of_wearers(pieces):
    said = pieces("kept")
    assert said["names"] == ["Anna", "", "x" * 40]
    assert said["none"] == ""
    assert said["found"] == [[1, 2], [3], None]
    assert said["last"] == ["Bert", "Anna"]
    assert said["after"] == [None, "Anna"]
    assert said["odd"] is None
    assert said["soon"] is None
    assert said["saves"] == [2, [2]]
    assert said["dropped"] == [2, None]
    for name, sentence in said["refused"]:
        assert name == "Problem"
        assert sentence.startswith("This browser keeps nothing of a wearer (")
    assert "the disk is full" in said["refused"][1][1]


def test_every_simulated_sensor_passes_its_quality_rules(wearer):
    front_end, lived = wearer
    presence = np.array([token["presence"] for token in lived["tokens"]])
    shares = dict(zip(front_end.modality_names, presence[1:].mean(axis=0), strict=True))
    assert min(shares.values()) >= 0.8, shares


def test_archives_are_unpacked_or_refused(pieces):
    def archive(members, **changes):
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as file:
            for name, content in members.items():
                info = zipfile.ZipInfo(name)
                info.compress_type = zipfile.ZIP_DEFLATED
                for field, value in changes.items():
                    setattr(info, field, value)
                file.writestr(info, content)
        return bytearray(stream.getvalue())

    good = archive({"a/EDA.csv": b"1\n4\n" + b"0.5\n" * 99, "a/": b""})
    directory = good.index(b"PK\1\2")
    damaged, longer, lying = bytearray(good), bytearray(good), bytearray(good)
    damaged[45] ^= 1
    longer[directory + 24 : directory + 28] = struct.pack("<I", 10)
    lying[directory + 24 : directory + 28] = struct.pack("<I", 2**31)
    moved = bytearray(good)
    moved[directory + 42 : directory + 46] = struct.pack("<I", 7)
    link = archive({"EDA.csv": b"/etc/passwd"}, external_attr=0o120777 << 16)
    many = archive({f"{i}": b"" for i in range(1001)})
    twice = bytearray(good).replace(b"a/EDA.csv", b"b/EDA.csv")
    archives = [good, damaged, longer, lying, moved, link, many, twice[: directory + 3]]
    said = pieces("unzip", archives=[base64.b64encode(one).decode() for one in archives])
    assert base64.b64decode(said[0]["a/EDA.csv"]) == b"1\n4\n" + b"0.5\n" * 99
    words = (
        "copy the archive again", "holds more than the 10 bytes", "would unpack to over 1024 MiB",
        "is not where the directory says", "is a link or a device", "expected at most 1000 entries",
        "no zip archive, or one cut short",
    )  # fmt: skip
    for wanted, sentence in zip(words, said[1:], strict=True):
        assert wanted in sentence


def test_numbers_and_measurements(pieces):
    shares = [0.0, 0.005, 0.015, 0.125, 0.375, 0.5, 1 / 3, 0.995, 1.0]
    measurements = [
        [0, 60],
        [1, 44, 1],
        [0b10000, 60, 0, 4, 51, 3],
        [0b00110, 60],
        [0b00100, 60],
        [1, 60],
        [],
    ]
    said = pieces("words", shares=shares, measurements=measurements)
    assert said["percents"] == [f"{share:.0%}" for share in shares]
    assert said["parsed"][:5] == [
        {"heartRate": 60, "contact": None, "intervals": []},
        {"heartRate": 300, "contact": None, "intervals": []},
        {"heartRate": 60, "contact": None, "intervals": [1.0, 819 / 1024]},
        {"heartRate": 60, "contact": True, "intervals": []},
        {"heartRate": 60, "contact": False, "intervals": []},
    ]
    assert all("cut short" in text for text in said["parsed"][5:])
    assert said["few"] is None
    assert said["even"] == 0


GAPS = re.compile(r"\{\w+\}")
LITERAL = re.compile(r"""//[^\n]*|/\*.*?\*/|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`""", re.DOTALL)
SPOKEN = ("src/sentences.js", "companion/strings.js")
"""The files that hold sentences: the package's in English, and all of the page."""


def same_gaps(one, other):
    return all(set(GAPS.findall(one[key])) == set(GAPS.findall(other[key])) for key in one)


def test_every_language_says_everything(pieces):
    """The same keys with the same gaps; German differs from English but for words both have."""
    found = pieces("strings")
    english, german = found["strings"]["en"], found["strings"]["de"]
    assert {key for key in german if not key.startswith("class.")} == set(english)
    assert same_gaps(english, german)
    assert {key for key in english if english[key] == german[key]} <= {"offline", "openFile", "pause"}
    page = (WEB / "companion" / "index.html").read_text()
    named = set(re.findall(r'data-(?:t|title|placeholder|aria-label)="(\w+)"', page))
    assert named <= set(english)


def test_every_error_is_said_in_every_language(pieces):
    found = pieces("strings")
    english, german = found["errors"]["en"], found["errors"]["de"]
    assert set(english) == set(german)
    assert same_gaps(english, german)
    assert {key for key in english if english[key] == german[key]} == {"status"}
    core = list(iter((library().mmq_status_sentence(n).decode() for n in itertools.count()).__next__, ""))
    assert len(found["status"]["de"]) == len(core) == len(set(found["status"]["de"]))
    assert found["said"] == [
        "Anna: state: the state is cut short. Enrolling anew.",
        "Anna: Zustand: der Zustand ist abgeschnitten. Die Eingewöhnung beginnt neu.",
        "Unerwartet: x. Die Seite neu laden.",
    ]


def test_no_sentence_is_outside_the_files_of_sentences(pieces):
    """Nor is one in them that nothing says; an error's first argument is the key of one."""
    keys, used = set(pieces("strings")["errors"]["en"]), set()
    for path in sorted([*WEB.glob("src/*.js"), *WEB.glob("companion/**/*.js")]):
        if path.relative_to(WEB).as_posix() in SPOKEN:
            continue
        text = path.read_text()
        literals = [one for one in LITERAL.findall(text) if one[0] in '"`']
        bare = [re.sub(r"\$\{[^{}]*\}", "x", one) for one in literals]
        assert [one for one in bare if re.search(r"[A-Za-z]{2,} [a-z]{2,} [a-z]{2,}", one)] == [], path.name
        used |= {one.strip('"') for one in literals} & keys
        thrown = re.findall(r"(?:new (?:\w+Error|Problem)|\bfail|\brefuse)\((?:file, )?(.)(\w*)", text)
        assert {key for quote, key in thrown if quote == '"'} <= keys, path.name
    assert keys - used == {"startRows", "rateRows"}  # for several columns


def test_an_ecg_drawn_from_a_strap_is_used_by_the_core(pieces):
    """The wave is present and its heart rate that of the beats; without beats it is lost."""
    front_end = FrontEnd.wearable({"ecg": 250}, tokens=2, frontend_version=3)
    said = pieces("strap", header=spec_header(front_end), rateHz=250, seconds=60, lostS=30)
    assert said["presence"][2:5] == [1, 1, 1]
    assert said["presence"][-4:] == [0, 0, 0, 0]
    names = list(front_end.feature_names)
    rate = said["features"][4][next(i for i, name in enumerate(names) if "rate" in name)]
    assert rate == pytest.approx(75, abs=1)
