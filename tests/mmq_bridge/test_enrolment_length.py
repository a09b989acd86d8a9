# SPDX-License-Identifier: Apache-2.0
"""An enrolment of 62 s in tokens of 5 s takes 13 of them wherever it is counted."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from mmq_bridge.bundle.golden import GoldenSignal, golden_front_end
from mmq_bridge.bundle.sources import generated_headers
from mmq_bridge.core_binding.bridge import Bridge
from mmq_bridge.core_binding.spec_header import spec_header
from mmq_bridge.decision.device import Device
from mmq_bridge.front_end.front_end import FrontEnd, Normalisation
from mmq_bridge.packing.web import WEB

TOKEN_S, ENROLMENT_S, EXPECTED = 5, 62, 13
PIECES = Path(__file__).parent / "companion" / "pieces.mjs"


VERSIONS = pytest.mark.parametrize("version", [2, 3])


def front_end(mode: Any = "enrolment", enrolment_s=ENROLMENT_S, version=3):
    bare = FrontEnd.wearable({"temp": 4}, token_s=TOKEN_S, tokens=1, frontend_version=version)
    return bare.with_normalisation(
        Normalisation(mode=mode, mean=(33.0,) * 3, std=(1.0,) * 3, enrolment_s=enrolment_s)
    )


@pytest.fixture
def worn():
    """Two minutes of one sensor."""
    times_s = np.arange(480) / 4
    return GoldenSignal((33 + np.sin(times_s / 9))[None].astype(np.float32), 4.0, 0.0)


def waits(tokens, version):
    """What a device answers at the end of each of the first tokens, with a window of one token."""
    enrolling = [
        f"enrolling ({k} of {EXPECTED} tokens measured)"
        if version >= 3
        else f"enrolling ({TOKEN_S * (EXPECTED - k):g} s left)"
        for k in range(1, tokens + 1)
    ]
    return [*enrolling[: EXPECTED - 1], f"filling the first window ({TOKEN_S} s left)"][:tokens]


@pytest.mark.parametrize(
    ("mode", "enrolment_s", "expected"),
    [
        ("enrolment", 60, 12),
        ("enrolment", 61, 13),
        ("enrolment", ENROLMENT_S, EXPECTED),
        ("enrolment", 0.1, 1),
        ("population", ENROLMENT_S, 0),
        ("running", ENROLMENT_S, 0),
    ],
)
def test_the_front_end_counts_whole_tokens(mode, enrolment_s, expected):
    assert front_end(mode, enrolment_s).enrolment_tokens == expected


def test_without_normalisation_there_is_no_enrolment():
    assert front_end().with_normalisation(None).enrolment_tokens == 0


def test_a_sum_of_tenths_is_not_one_token_more():
    bare = FrontEnd.wearable({"acc": 32}, token_s=0.6)
    tenths = bare.with_normalisation(
        Normalisation(mode="enrolment", mean=(0.0,) * 7, std=(1.0,) * 7, enrolment_s=sum([0.6] * 7))
    )
    assert sum([0.6] * 7) / 0.6 > 7
    assert tenths.enrolment_tokens == 7


@VERSIONS
def test_the_device_waits_as_long(worn, version):
    stub: Any = SimpleNamespace(feature_shape=(1, 3), n_modalities=1, classes={"stress": 2}, is_integer=False)
    device = Device(front_end(version=version), stub, {"tasks": {"stress": ["rest", "stress"]}})
    seconds = range(TOKEN_S * EXPECTED)
    decisions = [d for s in seconds for d in device.push("temp", worn.samples[:, 4 * s : 4 * s + 4], s)]
    assert [decision.reason for decision in decisions] == waits(EXPECTED, version)


@VERSIONS
def test_the_core_gives_its_first_window_after_as_many_tokens(worn, version):
    bridge, first = Bridge(front_end(version=version)), None
    for k in range(worn.samples.shape[1]):
        bridge.push("temp", worn.samples[:, k : k + 1], k / 4)
        if first is None and bridge.ready:
            first = bridge.closed
    assert first == EXPECTED + 1


def test_the_headers_carry_the_number(worn):
    assert f" {EXPECTED}, /* enrolment_tokens */" in spec_header(front_end())
    replayed = golden_front_end(front_end(), tokens=2 * EXPECTED + 5)
    assert replayed.enrolment_tokens == EXPECTED
    header = generated_headers(front_end(), replayed, {"temp": worn})["mmq_golden.h"].decode()
    assert re.search(rf"#define MMQ_GOLDEN_ENROLMENT_TOKENS {EXPECTED}u\b", header)


@pytest.mark.browser
@VERSIONS
def test_the_page_waits_as_long(worn, version):
    node = shutil.which("node") or pytest.skip("node is not installed: make companion")
    chunks = [
        {"name": "temp", "samples": worn.samples[:, 4 * s : 4 * s + 4].tolist(), "timeS": s}
        for s in range(120)
    ]
    cases = [
        {"header": spec_header(end), "chunks": chunks, "untilS": 0}
        for end in (front_end(version=version), front_end("running", version=version))
    ]
    command = [node, str(PIECES), str(WEB)]
    given = json.dumps({"scenario": "decide", "cases": cases})
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    enrolled, running = json.loads(done.stdout)
    assert enrolled["tokens"] == EXPECTED
    assert [one["reason"] for one in enrolled["said"]] == [*waits(EXPECTED, version), None, *[None] * 10]
    assert running["tokens"] == 0
    assert [one["reason"] for one in running["said"]] == [None] * 24
