# SPDX-License-Identifier: Apache-2.0
"""`stream --sample`: decides within a minute with the shipped model; refuses what does not go with it."""

import json

import pytest
from click.testing import CliRunner
from mmq_bridge.core_binding.bridge import Bridge
from mmq_bridge.errors import BridgeError
from mmq_bridge.front_end.front_end import FrontEnd
from mmq_bridge.recordings import sample

from mmq_tf.cli import cli


def run(*arguments):
    return CliRunner().invoke(cli, ["stream", *map(str, arguments)])


def test_it_decides_within_a_minute_and_goes_on_without_a_sensor():
    result = run("--pretrained", "wrist-stress", "--sample", "--json")
    assert result.exit_code == 0, result.output
    head, *decisions = map(json.loads, result.stdout.splitlines())
    said = [one for one in decisions if one.get("probabilities")]
    assert head["simulated"] is True
    assert said[0]["time_s"] <= 60
    assert min(one["sensors"]["ppg"] for one in said) < 0.5
    assert {max(one["probabilities"]["stress"], key=one["probabilities"]["stress"].get) for one in said} == {
        "rest",
        "stress",
    }


@pytest.mark.parametrize("others", [["--state", "x.state"], ["--enrolment", "60"]])
def test_what_its_wearer_brings_cannot_be_given_too(others):
    result = run("--pretrained", "wrist-stress", "--sample", *others)
    assert result.exit_code == 2
    assert "leave --state and --enrolment out" in result.output


@pytest.mark.slow  # SciPy designs the other one's filters
def test_a_bundle_of_another_front_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(sample, "STATE", tmp_path / "other.state")
    sample.STATE.write_bytes(Bridge(FrontEnd.wearable({"ppg": 64}, tokens=4)).save())
    result = run("--pretrained", "wrist-stress", "--sample")
    assert isinstance(result.exception, BridgeError)
    assert "not this bundle's" in str(result.exception)
