# SPDX-License-Identifier: Apache-2.0
"""Result tables as a terminal shows them."""

import io

from made_table import made_table
from rich.console import Console

from mmq_tf.cli._tables import show_results
from mmq_tf.metrics.names import WEARER_METRICS
from mmq_tf.metrics.results_table import ResultRow


def shown(rows: list[ResultRow], width: int = 120) -> str:
    results = made_table(rows, data="Data, 3 subjects")
    text = io.StringIO()
    show_results(results, Console(file=text, width=width))
    return text.getvalue()


def row(method: str, metric: str, mean: float, condition: str = "full") -> ResultRow:
    return ResultRow(
        method=method, condition=condition, metric=metric, mean=mean, low=mean - 0.1, high=mean + 0.1, n=3
    )


OLD = [
    row(m, x, 0.7, c) for m in ("mmqnet", "forest") for c in ("full", "no-eda") for x in ("auroc", "macro_f1")
]


def test_an_older_table_has_neither_clock_nor_wearer():
    text = shown(OLD)
    for words in ("clock", "time-matched", "wearer"):
        assert words not in text
    assert "no-eda" in text


def test_the_clock_comes_first_then_time_matched_auroc_then_the_wearer():
    new = [
        row("clock", "auroc", 0.93),
        row("clock", "time_matched_auroc", 0.46),
        row("mmqnet", "time_matched_auroc", 0.741),
        *(row("mmqnet", metric, 17.04) for metric in WEARER_METRICS),
        row("mmqnet", "changes_per_hour", 9.0, "display-30s"),
        row("mmqnet", "macro_f1", 0.68, "display-30s"),
    ]
    text = shown([*OLD, *new])
    order = [
        "A clock alone",
        "auroc, mean",
        "0.741 [0.641, 0.841]",
        "macro_f1, mean",
        "what a wearer meets, full",
    ]
    places = [text.index(words) for words in order]
    assert places == sorted(places)
    auroc = text[text.index("auroc, mean") : text.index("macro_f1, mean")]
    assert "display-30s" not in auroc
    assert "display-30s" in text[text.index("macro_f1, mean") :]
    assert "17.0" in text
    assert "changes/h" in text


def test_on_a_narrow_terminal_the_interval_is_whole():
    text = shown([*OLD, row("mmqnet", "time_matched_auroc", 0.741)], width=40)
    assert "0.741 [0.641, 0.841]" in text
