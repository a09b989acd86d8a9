# SPDX-License-Identifier: Apache-2.0
"""Progress says what is done and how long it takes, also where there is no terminal."""

import io

from rich.console import Console

from mmq_tf.cli._work_bars import WorkBars


class Clock:
    """Seconds as the test says."""

    now_s = 0.0

    def __call__(self):
        return self.now_s


def test_without_a_terminal_a_line_a_minute_says_what_is_done_and_what_is_left():
    clock, out = Clock(), io.StringIO()
    bars = WorkBars(Console(file=out, width=200), clock)
    with bars.folding(folds=4, done=1, steps=10):
        for fold in range(1, 4):
            for epoch in range(1, 11):
                clock.now_s += 12
                bars.on_epoch(f"fold {fold}", epoch, {"loss": 0.5})
            bars.on_fold(f"fold {fold}")
    lines = [line for line in out.getvalue().splitlines() if line.startswith("folds: ")]
    assert lines[0] == ("folds: 38% after 1 min, about 5 min left; fold 1, 5 of 10 epochs, loss 0.500")
    assert len(lines) == 6
    assert lines[-1].startswith("folds: 100% after 6 min; fold 3, 10 of 10")


def test_recordings_are_counted_too():
    clock, out = Clock(), io.StringIO()
    bars = WorkBars(Console(file=out, width=200), clock)
    with bars.preparing():
        bars.on_total(3)
        for name in ("S01", "S02", "S03"):
            clock.now_s += 61
            bars.on_recording(name, "")
    lines = [line for line in out.getvalue().splitlines() if line.startswith("extracting features: ")]
    assert lines[0] == "extracting features: 33% after 1 min, about 2 min left; S01"
    assert len(lines) == 3


def test_on_a_terminal_there_are_bars_and_no_lines():
    clock, out = Clock(), io.StringIO()
    bars = WorkBars(Console(file=out, width=200, force_terminal=True), clock)
    with bars.folding(folds=2, done=0, steps=2):
        clock.now_s += 100
        bars.on_epoch("fold 0", 1, {})
    assert "folds: " not in out.getvalue()
    assert "about 5 min left" in out.getvalue()
