# SPDX-License-Identifier: Apache-2.0
"""One search: the same whether it was stopped or not, led by what was found, poor trials given up."""

import json
import sys

import pytest

from mmq_tf.errors import MMQError
from mmq_tf.tuning.search import best, check_optuna, read_attempts, search
from mmq_tf.tuning.space import OneOf, Span

SPACE = {"rate": Span(1e-4, 1.0, log=True), "count": Span(1, 8), "kind": OneOf(("a", "b"))}
PRESET = {"rate": 0.5, "count": 8, "kind": "b"}


def goodness(values):
    values = values or PRESET
    return 1.0 - abs(values["rate"] - 0.1) - 0.01 * values["count"] - 0.2 * (values["kind"] == "b")


def attempt(values, reporter):
    for _ in range(2):
        for step in range(1, 7):
            reporter.step(step, goodness(values) * step / 6)
        reporter.fold(goodness(values))


def searched(path, budget, **changes):
    given = {"space": SPACE, "preset": PRESET, "attempt": attempt, "seed": (3, 1), **changes}
    return search(given.pop("space"), given.pop("preset"), budget, path=path, **given)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("search") / "whole.json"
    return path, searched(path, 25)


def test_the_preset_comes_first_and_the_search_finds_better(whole):
    _, tried = whole
    assert len(tried) == 25
    assert tried[0].values == {}
    assert tried[0].score == goodness(PRESET)
    assert best(tried).score > 0.85
    assert all(SPACE[name].holds(value) for one in tried[1:] for name, value in one.values.items())


def test_poor_trials_are_given_up_before_they_are_done(whole):
    _, tried = whole
    given_up = [one for one in tried if one.pruned]
    assert given_up
    assert not any(one.pruned for one in tried[:4])
    assert any(not one.scores for one in given_up)
    assert best(tried) not in given_up


@pytest.mark.parametrize("preset", [PRESET, {**PRESET, "rate": None}], ids=["inside", "outside the space"])
def test_a_stopped_search_goes_on_as_if_it_had_not_been(tmp_path, preset):
    class Stop(Exception):
        pass

    def stopping(tried):
        if len(tried) == 7:
            raise Stop

    found = searched(tmp_path / "whole.json", 15, preset=preset)
    with pytest.raises(Stop):
        searched(tmp_path / "broken.json", 15, preset=preset, on_attempt=stopping)
    assert len(read_attempts(tmp_path / "broken.json")) == 7
    assert searched(tmp_path / "broken.json", 15, preset=preset) == found
    assert (tmp_path / "broken.json").read_bytes() == (tmp_path / "whole.json").read_bytes()


def test_a_smaller_budget_is_the_beginning_of_a_larger_one(whole, tmp_path):
    path, tried = whole
    assert searched(tmp_path / "small.json", 6) == tried[:6]

    def never(values, reporter):
        raise AssertionError("nothing is left to try")

    assert searched(path, 6, attempt=never) == tried[:6]


NO_TRIALS = ("", "[1]", '{"a": 1}', '[{"values": {}, "reports": 3}]', "[" * 5000, '[{"values": {}}]',
             '[{"values": 5, "scores": [1]}]', '[{"scores": [NaN]}]')  # fmt: skip


@pytest.mark.parametrize("content", NO_TRIALS, ids=range(len(NO_TRIALS)))
def test_a_file_of_something_else_is_refused_by_name(tmp_path, content):
    (tmp_path / "trials.json").write_text(content)
    with pytest.raises(MMQError, match=r"trials\.json: is no file of trials"):
        read_attempts(tmp_path / "trials.json")


def test_without_optuna_one_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MMQError, match=r"pip install 'mmq-tf\[tune\]'"):
        check_optuna()


def test_the_file_holds_plain_numbers(whole):
    path, tried = whole
    assert [one["values"] for one in json.loads(path.read_text())] == [one.values for one in tried]
