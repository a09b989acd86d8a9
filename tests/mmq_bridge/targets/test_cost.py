# SPDX-License-Identifier: Apache-2.0
"""The core keeps its budgets on a Cortex-M4F: counts, which repeat, not times."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from mmq_bridge.errors import BridgeError
from mmq_bridge.targets import tools
from mmq_bridge.targets.budgets import BUDGETS, HELD_AT, LEVELS, STATE, TEXT, WRIST, Verdict, judge
from mmq_bridge.targets.cost import ScenarioCost, _parse, measure_cost
from mmq_bridge.targets.flash import PARTS, WHOLE, WINDOWS, Flash, library_bytes, measure_flash
from mmq_bridge.targets.scenarios import Scenario, all_scenarios
from mmq_bridge.targets.table import M4F, Target

from mmq_tf.cli import main

Needs = Callable[[Sequence[Target]], None]


@pytest.fixture(scope="module")
def scenarios() -> dict[str, Scenario]:
    return {scenario.vector.name: scenario for scenario in all_scenarios()}


@pytest.fixture(scope="module")
def measured(
    needs: Needs, scenarios: dict[str, Scenario], tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, ScenarioCost], Flash]:
    """Everything, at the level the budgets are held at."""
    needs([M4F])
    folder = tmp_path_factory.mktemp("cost")
    costs = measure_cost(list(scenarios.values()), HELD_AT, folder)
    return dict(zip(scenarios, costs, strict=True)), measure_flash(HELD_AT, folder)


@pytest.mark.parametrize("budget", BUDGETS, ids=lambda budget: budget.name)
def test_budget_is_kept(budget, measured: tuple[dict[str, ScenarioCost], Flash]) -> None:  # noqa: ANN001
    verdicts = {v.budget: v for v in judge({HELD_AT: list(measured[0].values())}, {HELD_AT: measured[1]})}
    assert verdicts[budget].measured[HELD_AT] < budget.limit


def test_core_has_no_static_memory(measured: tuple[dict[str, ScenarioCost], Flash]) -> None:
    assert (measured[1].data, measured[1].bss) == (0, 0)


def test_stack_is_small(measured: tuple[dict[str, ScenarioCost], Flash]) -> None:
    assert all(100 < cost.stack_bytes < 2048 for cost in measured[0].values())


def test_counts_repeat_to_one_tick(measured: tuple[dict[str, ScenarioCost], Flash]) -> None:
    assert max(abs(cost.repeat_ticks) for cost in measured[0].values()) <= 1


def test_a_second_run_counts_the_same(needs: Needs, scenarios: dict[str, Scenario], tmp_path: Path) -> None:
    needs([M4F])
    assert len({measure_cost([scenarios["acc_32"]], HELD_AT, tmp_path)[0].per_token for _ in range(2)}) == 1


def test_channels_cost_in_proportion(measured: tuple[dict[str, ScenarioCost], Flash]) -> None:
    costs = measured[0]
    assert costs["eeg_32"].per_token / costs["eeg_8"].per_token == pytest.approx(4.0, rel=0.1)
    assert costs["eeg_32_matrix"].per_token > costs["eeg_32"].per_token
    assert costs["ecg_500"].per_token > costs["ecg_250"].per_token


def test_phases_add_up(measured: tuple[dict[str, ScenarioCost], Flash]) -> None:
    for cost in measured[0].values():
        assert cost.per_token == cost.samples + cost.features
        assert cost.features <= cost.longest_push + 1 or cost.scenario.vector.name in ("wrist", WRIST.name)
        assert cost.tokens >= 4


def test_state_has_smaller_pointers_on_the_device(measured: tuple[dict[str, ScenarioCost], Flash]) -> None:
    assert all(0 < cost.state_bytes < cost.host_state_bytes for cost in measured[0].values())


def test_libgcc_is_counted_apart(measured: tuple[dict[str, ScenarioCost], Flash]) -> None:
    """Time is float64, which a Cortex-M4F computes in software."""
    assert 500 < measured[1].libraries["libgcc"] < 8192


def test_each_part_adds_to_what_is_linked(measured: tuple[dict[str, ScenarioCost], Flash]) -> None:
    flash = measured[1]
    assert set(flash.linked) == {WINDOWS, *PARTS, WHOLE}
    assert min(flash.linked.values()) > 20
    parts = sum(flash.linked[part] for part in PARTS)
    assert flash.linked[WHOLE] <= flash.linked[WINDOWS] + parts  # what two share is there once
    beside = sum(flash.linked[part] for part in ("names for logs", "queue from an interrupt"))
    assert flash.linked[WHOLE] < flash.text + flash.decision + flash.head + beside + 600  # padding aside
    assert flash.linked[WINDOWS] < 0.9 * flash.text


def test_budget_just_reached_is_exceeded() -> None:
    assert not Verdict(TEXT, {HELD_AT: TEXT.limit}).kept
    assert Verdict(TEXT, {HELD_AT: TEXT.limit - 1}).kept


def test_judging_wants_the_budgeted_scenarios() -> None:
    with pytest.raises(BridgeError, match="expected a measurement of eeg_32"):
        judge({HELD_AT: []}, {HELD_AT: Flash(HELD_AT, 1, 1, 1, 0, 0, {}, {})})


def test_failed_scenario_is_named() -> None:
    with pytest.raises(BridgeError, match="wrist: cannot be measured"):
        _parse("calibration ticks=1\nwrist: cannot be measured")


def test_scenario_the_core_refuses_is_named(
    needs: Needs, scenarios: dict[str, Scenario], tmp_path: Path
) -> None:
    needs([M4F])
    good = scenarios["acc_32"]
    operations = (good.vector.operations[5], *good.vector.operations)  # the first ones come too late
    bad = replace(good, vector=replace(good.vector, operations=operations))
    with pytest.raises(BridgeError, match="acc_32: cannot be measured"):
        measure_cost([bad], HELD_AT, tmp_path)


def test_map_without_libraries_has_none() -> None:
    assert library_bytes("Linker script and memory map\n .text 0x0 0x10 core.o\n") == {}


def bench(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    """Exit code of `mmq-tf bench core`."""
    monkeypatch.setattr(sys, "argv", ["mmq-tf", "bench", "core", *words])
    try:
        main()
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


def test_missing_tool_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(
        tools.shutil, "which", lambda command: None if command == "qemu-system-arm" else command
    )
    monkeypatch.setattr(tools, "_absent_files", lambda command, files: {})
    assert bench(monkeypatch) == 2
    said = capsys.readouterr().err
    assert "qemu-system-arm is not installed" in said
    assert "apt install" in said


def test_results_file_of_another_kind_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench(monkeypatch, "--results", "cost.csv") == 2
    assert "cost.csv" in capsys.readouterr().err


def test_exceeded_budget_is_exit_code_1(
    measured: tuple[dict[str, ScenarioCost], Flash],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    """With measurements handed in: one byte too much of state."""
    costs, flash = measured
    fat = [replace(c, state_bytes=STATE.limit) if n == WRIST.name else c for n, c in costs.items()]
    monkeypatch.setattr("mmq_bridge.targets.cost.measure_cost", lambda scenarios, level, build: fat)
    monkeypatch.setattr(
        "mmq_bridge.targets.flash.measure_flash",
        lambda level, build: replace(flash, level=level, text=1),
    )
    target = tmp_path / "core_cost.json"
    assert bench(monkeypatch, "--results", str(target)) == 1
    assert STATE.what in capsys.readouterr().err
    assert "EXCEEDED" in target.with_suffix(".md").read_text()
    monkeypatch.setattr(
        "mmq_bridge.targets.cost.measure_cost", lambda scenarios, level, build: list(costs.values())
    )
    assert bench(monkeypatch, "--results", str(target)) == 0


def test_results_follow_the_contract(measured: tuple[dict[str, ScenarioCost], Flash], tmp_path: Path) -> None:
    from mmq_tf.metrics.results_table import read_results
    from mmq_tf.reports.core_results import write_core_results

    costs = {level: list(measured[0].values()) for level in LEVELS}
    flashes = {level: replace(measured[1], level=level) for level in LEVELS}
    write_core_results(tmp_path / "core_cost.json", costs, flashes, judge(costs, flashes))
    results = read_results(tmp_path / "core_cost.json")
    assert results.simulated
    assert results.metrics == ("instructions", "bytes", "arena_bytes")
    row = results.row("wrist set", f"second {HELD_AT}", "instructions")
    assert row is not None
    assert row.mean == round(measured[0]["wrist"].per_second) < WRIST.limit
