# SPDX-License-Identifier: Apache-2.0
"""What a finished evaluation keeps, and what is judged again, when a method's meaning changed."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mmq_tf.baselines import BASELINES
from mmq_tf.comparisons.neural import NEURAL_BASELINES
from mmq_tf.evaluation import sweep, transfer
from mmq_tf.evaluation.judge_fold import versioned_name
from mmq_tf.metrics.predictions import Predictions

METHODS = ("logistic", "forest")


def predictions_of(method):
    return Predictions.of_windows(
        classes=("rest", "stress"),
        method=method,
        condition="full",
        seed=0,
        fold=0,
        subject=np.array(["s1", "s1"]),
        session=np.array(["", ""]),
        trial=np.arange(2),
        start_s=np.arange(2) * 5.0,
        label=np.arange(2),
        probabilities=np.full((2, 2), 0.5),
    )


@pytest.fixture
def fold(tmp_path, monkeypatch):
    """A fold of a run whose windows nobody looks at."""
    folder = tmp_path / "run" / "folds" / "00"
    folder.mkdir(parents=True)
    (folder / "model.keras").write_bytes(b"a network")
    for module in (sweep, transfer):
        monkeypatch.setattr(module, "fold_windows", lambda fold: SimpleNamespace(test=None))
    monkeypatch.setattr(sweep, "shared_masks", lambda *given: {})
    config = SimpleNamespace(
        model=SimpleNamespace(name="mmqnet"), front_end=SimpleNamespace(token_s=5.0), to_toml=lambda: ""
    )
    return SimpleNamespace(name="00", index=0, folder=folder, config=config)


class Swept(sweep.SweepJob):
    """Judges without windows; notes whom."""

    def _judge(self, method: str, windows: Any, masks: Any) -> list[Predictions]:
        JUDGED.append(method)
        return [predictions_of(method)]


class Transferred(transfer.TransferJob):
    """Judges without windows; notes whom."""

    def windows_there(self, windows: Any) -> Any:
        """Return nothing: nobody looks."""

    def _judge(self, method: str, windows: Any, test: Any) -> list[Predictions]:
        JUDGED.append(method)
        return [predictions_of(method)]


JUDGED: list[str] = []


def judge(job):
    """Run a job where it is not done; whom it judged."""
    JUDGED.clear()
    if not job.done:
        job.run(lambda count, facts: None)
    return list(JUDGED)


def test_an_evaluation_judges_only_the_changed_method_again(fold, tmp_path, monkeypatch):
    def job():
        return Swept(fold, tmp_path / "evaluation", ("A",), METHODS, ("logistic_shifted",))

    assert judge(job()) == ["mmqnet", "logistic", "forest", "logistic_shifted"]
    assert judge(job()) == []
    monkeypatch.setattr(BASELINES["logistic"], "version", BASELINES["logistic"].version + 1)
    assert judge(job()) == ["logistic", "logistic_shifted"]
    assert judge(job()) == []


def test_a_transfer_is_judged_again_when_a_method_changed(fold, tmp_path, monkeypatch):
    def job():
        return Transferred(fold, fold.config, (), tmp_path / "on-others", METHODS)

    assert judge(job()) == ["mmqnet", *METHODS]
    assert judge(job()) == []
    monkeypatch.setattr(BASELINES["forest"], "version", 2)
    assert judge(job()) == ["mmqnet", *METHODS]
    assert judge(job()) == []


def test_a_key_names_the_version_from_the_second_on():
    assert versioned_name("logistic") == "logistic 2"
    assert versioned_name("logistic_shifted") == "logistic_shifted 2"
    assert versioned_name("logistic_dropout") == "logistic_dropout"
    assert [versioned_name(name) for name in ("mmqnet", *NEURAL_BASELINES)] == ["mmqnet", *NEURAL_BASELINES]
