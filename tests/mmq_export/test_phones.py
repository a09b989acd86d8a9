# SPDX-License-Identifier: Apache-2.0
"""The snippets for phones: the JNI bridge built and run with Java; the rest marked as not run."""

import json
import os
import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from mmq_bridge.bundle.example_run import find_compiler
from mmq_bridge.core_binding.decision import Abstention, Decider, Display
from mmq_bridge.core_binding.native import Bridge
from mmq_bridge.core_binding.network import Network, Runner
from mmq_bridge.core_binding.spec_header import spec_header
from mmq_bridge.decision.bundle_files import NETWORK_FILE
from mmq_bridge.decision.deciding import core_rules
from mmq_bridge.decision.manifest import decision_settings
from mmq_bridge.decision.replay import Drop, steps
from mmq_bridge.front_end.front_end import FrontEnd

REPLAY = Path(__file__).parent / "phones/Replay.java"


def java_home():
    javac = shutil.which("javac")
    return Path(javac).resolve().parents[1] if javac else None


needs_java = pytest.mark.skipif(
    not (java_home() and find_compiler() and shutil.which("cmake") and sys.platform == "linux"),
    reason="no Java compiler, C compiler or cmake",
)


@pytest.fixture(scope="module", params=[2, 3])
def front_end(tiny, tiny_bundle, request):
    """Four sensors that enrol for 20 s, in version 3 for four measured tokens, of which three suffice."""
    content = tiny.front_end("enrolment", 20.0).model_dump(mode="json") | {"frontend_version": request.param}
    content["normalisation"]["enrolment_least"] = 3 if request.param == 3 else None
    exported = json.loads((tiny_bundle / "frontend.json").read_text())
    return FrontEnd.model_validate(content | {"quantisation": exported["quantisation"]})


@pytest.fixture(scope="module")
def network(tiny_bundle):
    return Network((tiny_bundle / NETWORK_FILE).read_bytes())


@pytest.fixture(scope="module")
def built(tiny_bundle, tmp_path_factory):
    """A function that builds the library for a front end, and returns what runs Replay with it.

    All share a folder: what did not change is compiled once.
    """
    folder, apart = tmp_path_factory.mktemp("phone"), ("mmq_network.c", "mmq_network.h")
    for name in ("android", "mmq_bridge"):
        shutil.copytree(tiny_bundle / name, folder / name)
    environment = {**os.environ, "JAVA_HOME": str(java_home())}

    def call(*command):
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]

    call("javac", "-Xlint:all", "-Werror", "-d", ".", "android/mmq/MmqBridge.java", str(REPLAY))

    def build(front_end, has_network=True):
        (folder / "mmq_bridge/mmq_spec.h").write_text(spec_header(front_end))
        for name in () if has_network else apart:
            (folder / "mmq_bridge" / name).unlink()
        option = f"-DMMQ_WITH_LITERT={'OFF' if has_network else 'ON'}"
        call("cmake", "-S", "android", "-B", "build", option)
        call("cmake", "--build", "build", "--target", "mmq_jni")
        for name in apart:
            shutil.copy(tiny_bundle / "mmq_bridge" / name, folder / "mmq_bridge")
        library = tmp_path_factory.mktemp("library")
        shutil.copy(folder / "build/libmmq_jni.so", library)

        def run(*arguments, pushes=b""):
            command = ["java", "-Xcheck:jni", f"-Djava.library.path={library}", "Replay", *arguments]
            done = subprocess.run(command, cwd=folder, input=pushes, capture_output=True, check=False)
            assert done.returncode == 0, done.stderr.decode()[-1000:]
            assert b"WARNING" not in done.stdout
            return done.stdout

        return run

    return build


@pytest.fixture(scope="module")
def java(built, front_end):
    return built(front_end)


def chunks(tiny):
    """Yield a minute of signals in seconds; EDA and TEMP fall off for a while, and PPG has lost samples."""
    signals = tiny.signals(60.0)
    signals["ppg"].samples[:, 2000:2100] = np.nan
    for _, parts in steps(signals, 1.0, [Drop.parse("eda@22-41"), Drop.parse("temp@4-38")]):
        yield from parts


def session(front_end, tiny, network, state, stop_s):
    """Return what Replay is given for one run of the app, its answer, whom it names and what it learns.

    Without a network the model is Replay's own, in halves.
    """
    bridge, names = Bridge(front_end), front_end.modality_names
    rules = core_rules(decision_settings(tiny.DECISION), network.outputs if network else None)
    runner = Runner(network) if network else None
    decider, display = Decider(bridge, rules), Display(rules, 30.0, 8)
    if state:
        bridge.load(state)
    pushes, wanted, taken, named = b"", b"", 0, []
    for modality, samples, time_s in chunks(tiny):
        if time_s >= stop_s:
            break
        head = struct.pack("<IIId", names.index(modality), samples.shape[1], samples.size, time_s)
        pushes += head + np.ascontiguousarray(samples, "<f4").tobytes()
        bridge.push(modality, samples, time_s)
        for number in range(taken, bridge.closed):
            token = bridge.pop_token()
            assert token is not None
            wanted += token[0].tobytes() + token[1].tobytes() + bridge.reason_bits(number).tobytes()
            ready = bridge.ready
            status = 0 if ready else 9 if bridge.enrolling else 8
            shape = front_end.tokens * (front_end.n_features + len(names))
            window = b"".join(part.tobytes() for part in bridge.window()) if ready else bytes(4 * shape)
            wanted += struct.pack("<i", status) + window
        taken = bridge.closed
        for said in iter(lambda: decider.step(runner) if runner else decider.due(), None):
            if not runner and said.abstention == Abstention.DECIDED:
                features, presence = bridge.window_at(said.number)
                decider.decide(said, np.array([features[-1, -1], presence[0, 0]]))
            here = not_enrolled(bridge, said.number) if said.n_probabilities else set()
            named += [here] if said.n_probabilities else []
            wanted += struct.pack("<d", said.time_s) + bytes(name in here for name in names)
            for one in (said, display.show(said)):
                count = one.n_probabilities
                p = struct.pack("<2f", *one.probability[:2])
                wanted += (
                    struct.pack("<4i", one.abstention, count, one.best[0] if count else -1, one.sure) + p
                )
    return pushes, wanted, named, bridge.save()


def not_enrolled(bridge, number):
    """Name the modalities of which a token of a window was normalised by the population."""
    front_end, window = bridge.front_end, bridge.window_at(number)[1] > 0
    found = set()
    for m, name in enumerate(front_end.modality_names if front_end.counts_evidence else ()):
        for row, seen in enumerate(window[:, m]):
            measured = bridge.enrolment(number - len(window) + 1 + row).measured[m]
            found |= {name} if seen and measured < front_end.enrolment_least else set()
    return found


@needs_java
@pytest.mark.parametrize("how", ["network", "halves"])
def test_java_gets_the_bits_that_python_gets(java, front_end: FrontEnd, tiny, network, how):
    """The app is started again in the middle of the enrolment, and resumes what it saved."""
    net = network if how == "network" else None
    given, wanted, named, state = session(front_end, tiny, net, None, 13.0)
    assert named == []
    more, then, named, state = session(front_end, tiny, net, state, 60.0)
    assert len(named) >= 5  # of 12 tokens, 3 of the enrolment and 4 of a window
    assert {"temp"} in named if front_end.counts_evidence else not any(named)
    assert set() in named
    again = struct.pack("<iIId", -1, 0, 0, 0.0)
    assert java(how, pushes=given + again + more) == wanted + then + state


@needs_java
def test_the_c_network_can_be_left_out(built, tiny):
    """As for LiteRT: only the halves are there, and give the same bits."""
    front_end = tiny.front_end("enrolment", 20.0)
    run = built(front_end, has_network=False)
    given, wanted, named, state = session(front_end, tiny, None, None, 60.0)
    assert named
    assert run("halves", pushes=given) == wanted + state
    assert run("misuse").decode().splitlines()[14] == "19"  # MMQ_NO_NETWORK


@needs_java
def test_java_cannot_reach_beyond_its_arrays(java):
    assert java("misuse").decode().splitlines() == [
        "0 -1 -1",
        "3 0 0",
        "4 4",  # MMQ_BAD_MODALITY
        "3 3 3",  # MMQ_TOO_SMALL
        "1 5 4",  # MMQ_NULL, MMQ_BAD_TIME, MMQ_BAD_MODALITY
        "3 1",
        "3 3",
        "7 9",  # MMQ_NO_TOKEN, MMQ_ENROLLING
        "ppg acc null null",
        "1 stress null 2 0 stress null",
        "1 3 7",  # MMQ_NULL, MMQ_TOO_SMALL, MMQ_NO_TOKEN
        "1 3 1 3 0 -1 false enrolling ",
        "1 3 0",  # a state: MMQ_NULL, MMQ_TOO_SMALL, MMQ_OK
        "1 12 13 0",  # MMQ_NULL, MMQ_STATE_SHORT, MMQ_STATE_DAMAGED, MMQ_OK
        "7",
        "0 1 5.0",
        "16",  # MMQ_STATE_LATE
        "displayS: expected 0 to 3600 s, got NaN",
        "the bridge was closed",
    ]


def test_what_was_not_run_says_so_in_its_first_line(tiny_bundle):
    found = [path for name in ("android", "ios") for path in (tiny_bundle / name).rglob("*.*")]
    assert len(found) >= 19
    for path in found:
        first = path.read_text().splitlines()[0]
        not_run = path.suffix == ".swift" or path.name in ("LiteRtModel.kt", "mmq-Bridging-Header.h")
        assert ("not run here" in first) == not_run, path


def test_the_snippets_call_what_exists(tiny_bundle):
    header = (tiny_bundle / "mmq_bridge/mmq_device.h").read_text()
    swift = "".join(path.read_text() for path in (tiny_bundle / "ios").glob("*.swift"))
    for name in set(re.findall(r"\bmmq_device_\w+(?=\()", swift)):
        assert f"{name}(" in header, name
    java = (tiny_bundle / "android/mmq/MmqBridge.java").read_text()
    kotlin = "".join(path.read_text() for path in (tiny_bundle / "android/mmq").glob("*.kt"))
    for name in set(re.findall(r"\b(?:bridge|MmqBridge)\.(\w+)\(", kotlin)):
        assert re.search(rf"public .*\b{name}\(", java), name


def test_litert_is_needed_by_no_file_but_the_one_that_is_left_out(tiny_bundle):
    for folder, apart in (("android", "LiteRtModel.kt"), ("ios", "LiteRTModel.swift")):
        texts = {path.name: path.read_text() for path in (tiny_bundle / folder).rglob("*.*")}
        assert re.search(r"^import .*litert", texts.pop(apart), re.IGNORECASE | re.MULTILINE)
        for text in texts.values():
            assert not re.search(r"^import .*litert", text, re.IGNORECASE | re.MULTILINE)
        assert not [
            name for name, text in texts.items() if "model_int8_float_io" in text and "Bridge" not in name
        ]


def test_phones_show_the_average_of_30_s_unless_told_otherwise(tiny_bundle):
    kotlin = (tiny_bundle / "android/mmq/Wearable.kt", tiny_bundle / "android/mmq/Session.kt")
    swift = (tiny_bundle / "ios/Wearable.swift", tiny_bundle / "ios/Session.swift")
    for paths in (kotlin, swift):
        text = "".join(path.read_text() for path in paths)
        assert re.search(r"\bdisplayS: Double = 30(\.0)?,", text)
        for rule in ("exp(", "min_confidence", "every_tokens", "softmax"):  # the core has them
            assert rule not in text, rule
