# SPDX-License-Identifier: Apache-2.0
"""Runs side by side: the same table, and how each differs from the first, person by person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from mmq_tf.errors import MMQError
from mmq_tf.metrics.names import DISPLAY, FULL, TIME_MATCHED
from mmq_tf.metrics.per_model import per_model
from mmq_tf.metrics.predictions import Predictions, read_predictions
from mmq_tf.metrics.results_table import ResultsFile, format_cell, read_results
from mmq_tf.metrics.significance import bootstrap_interval, compare
from mmq_tf.metrics.summary import SubjectTable, subject_table
from mmq_tf.reports.figures import as_svg
from mmq_tf.reports.pages import as_picture, html_environment
from mmq_tf.reports.person_figures import PairedComparison, subject_figure
from mmq_tf.reports.report import METRIC_TITLES, format_p

PAIRED = ("auroc", "macro_f1", "accuracy")
"""What is compared person by person."""
SHOWN = (
    (FULL, "auroc"),
    (FULL, TIME_MATCHED),
    (FULL, "macro_f1"),
    (FULL, "ece"),
    (FULL, "changes_per_hour"),
    (FULL, "false_alarms_per_hour"),
    (DISPLAY, "macro_f1"),
    (DISPLAY, "changes_per_hour"),
)
"""Columns of the table beside the sensors gone: condition and metric."""
FEWEST = 2
"""People two runs must have in common."""


@dataclass(frozen=True)
class RunJudged:
    """One folder that was judged: a run, or its or a bundle's evaluation on another data set.

    Attributes
    ----------
    name : str
        What the comparison calls it.
    folder : Path
    results : ResultsFile
    predictions : Predictions
        Of its network alone.
    """

    name: str
    folder: Path
    results: ResultsFile
    predictions: Predictions

    @classmethod
    def read(cls, name: str, folder: Path) -> RunJudged:
        """Read a folder's ``results.json`` and ``predictions.csv``.

        Raises
        ------
        MMQError
            If one of them is not there, or is broken.
        """
        for file in ("results.json", "predictions.csv"):
            if not (folder / file).is_file():
                raise MMQError(
                    f"{folder} has no {file}: name the folder of a finished run, or of an evaluation --on "
                    "another data set."
                )
        found = read_predictions(folder / "predictions.csv")
        if not len(found):
            raise MMQError(f"{folder / 'predictions.csv'}: nothing was predicted.")
        network = found.select(found.method == found.method[0])
        several = {}
        for key in set(
            zip(network.subject.tolist(), network.seed.tolist(), network.fold.tolist(), strict=True)
        ):
            several[key[:2]] = several.get(key[:2], 0) + 1
        apart = per_model(network) if max(several.values()) > 1 else network
        return cls(name, folder, read_results(folder / "results.json"), apart)

    @property
    def method(self) -> str:
        """Its network's name in its own table."""
        return str(self.predictions.method[0])

    @cached_property
    def scores(self) -> SubjectTable:
        """Every person's scores."""
        return subject_table(self.predictions)


@dataclass(frozen=True)
class PairedDifference:
    """How much a run's scores are above the first run's, over the people both judged.

    Attributes
    ----------
    name : str
    condition, metric : str
    people : int
    mean, low, high : float
        This run minus the first: mean over people, and its 95 % bootstrap interval.
    better : int
        For how many people this run is higher.
    p_holm : float
        Wilcoxon signed-rank over people, Holm-corrected over the runs compared.
    """

    name: str
    condition: str
    metric: str
    people: int
    mean: float
    low: float
    high: float
    better: int
    p_holm: float


@dataclass(frozen=True)
class RunComparison:
    """Runs side by side, the first being what the others are compared with.

    Attributes
    ----------
    runs : tuple of RunJudged
    people : tuple of str
        Whom all of them judged.
    differences : tuple of PairedDifference
    """

    runs: tuple[RunJudged, ...]
    people: tuple[str, ...]
    differences: tuple[PairedDifference, ...]

    @property
    def conditions(self) -> list[str]:
        """The conditions that all of the runs were judged under, the display filter aside."""
        shared = [{c for _, c in run.scores.pairs} for run in self.runs]
        return [c for _, c in self.runs[0].scores.pairs if all(c in one for one in shared)]

    def table(self) -> tuple[list[str], list[tuple[str, list[str]]]]:
        """Return the names of the columns, and each run's name and cells, means with intervals."""
        gone = [(c, "auroc") for c in self.conditions if c.startswith("no-")]
        used = [place for place in (*SHOWN, *gone) if any(r.results.row(r.method, *place) for r in self.runs)]
        rows = [
            (run.name, [format_cell(run.results.row(run.method, *place)) for place in used])
            for run in self.runs
        ]
        return [_column(*place) for place in used], rows


def _column(condition: str, metric: str) -> str:
    title = METRIC_TITLES.get(metric, metric.replace("_per_hour", " per hour").replace("_", " "))
    return title if condition == FULL else f"{title}, {condition}"


def compare_runs(folders: Sequence[Path]) -> RunComparison:
    """Compare two or more judged folders with the first of them.

    Raises
    ------
    MMQError
        If there are fewer than two, one is given twice or is not judged, or they tell other classes apart or
        have fewer than two people in common.
    """
    if len(folders) < 2:
        raise MMQError("compare needs two runs or more.")
    if len({folder.resolve() for folder in folders}) < len(folders):
        raise MMQError("compare: the same folder is named twice.")
    runs = [RunJudged.read(name, folder) for name, folder in zip(_names(folders), folders, strict=True)]
    first = runs[0]
    for run in runs[1:]:
        if run.predictions.classes != first.predictions.classes:
            raise MMQError(
                f"{run.folder} tells {', '.join(run.predictions.classes)} apart, but {first.folder} "
                f"{', '.join(first.predictions.classes)}; only runs with the same classes can be compared."
            )
    people = [p for p in first.scores.subjects if all(p in run.scores.subjects for run in runs)]
    if len(people) < FEWEST:
        raise MMQError(
            f"{', '.join(str(folder) for folder in folders)} have {len(people)} people in common; a paired "
            f"comparison needs {FEWEST} or more."
        )
    made = RunComparison(tuple(runs), tuple(people), ())
    found = [one for c in made.conditions for m in PAIRED for one in _differences(made, c, m)]
    return RunComparison(made.runs, made.people, tuple(found))


def _names(folders: Sequence[Path]) -> list[str]:
    """Name each by its folder; by its place too where names are not different."""
    names = [folder.resolve().name for folder in folders]
    if len(set(names)) < len(names):
        names = ["/".join(folder.resolve().parts[-2:]) for folder in folders]
    return names if len(set(names)) == len(names) else [str(folder.resolve()) for folder in folders]


def signed(value: float) -> str:
    """Format a difference with its sign; one that rounds to nothing has none.

    Examples
    --------
    >>> signed(0.0421), signed(-0.0001)
    ('+0.042', '0.000')
    """
    text = f"{value:+.3f}"
    return text[1:] if float(text) == 0 else text


def scores_of(made: RunComparison, run: RunJudged, condition: str, metric: str) -> np.ndarray:
    """Give a run's score of each person of the comparison, float64 ``[people]``, NaN where there is none."""
    places = [run.scores.subjects.index(person) for person in made.people]
    return run.scores.of(run.method, condition, metric)[places]


def _differences(made: RunComparison, condition: str, metric: str) -> list[PairedDifference]:
    values = {run.name: scores_of(made, run, condition, metric) for run in made.runs}
    first = made.runs[0].name
    found = []
    for one in compare(values, first):
        gap = values[one.method] - values[first]
        gap = gap[~np.isnan(gap)]
        if not gap.size:
            continue
        mean, low, high = bootstrap_interval(gap)
        found.append(
            PairedDifference(
                one.method, condition, metric, gap.size, mean, low, high, int((gap > 0).sum()), one.p_holm
            )
        )
    return found


def render_comparison(made: RunComparison, command: str) -> str:
    """Render a comparison as one self-contained HTML page."""
    columns, rows = made.table()
    first = made.runs[0]
    pairs = [
        PairedComparison(
            FULL,
            run.name,
            first.name,
            scores_of(made, run, FULL, "auroc"),
            scores_of(made, first, FULL, "auroc"),
            made.people,
        )
        for run in made.runs[1:]
    ]
    known = [pair for pair in pairs if pair.known.any()]
    environment = html_environment()
    environment.filters["p_value"] = format_p
    environment.filters["signed"] = signed
    return environment.get_template("comparison.html.j2").render(
        made=made,
        first=first,
        command=command,
        stamps=sorted({stamp for run in made.runs for stamp in run.results.stamps}),
        table={
            "title": "",
            "about": "",
            "corner": "mean over people",
            "columns": [name for name, _ in rows],
            "rows": [(column, [cells[place] for _, cells in rows]) for place, column in enumerate(columns)],
        },
        people=_people(made),
        titles=METRIC_TITLES,
        figure=_picture(known, first.name) if known else "",
    )


def _picture(pairs: Sequence[PairedComparison], first: str) -> Markup:
    figure = subject_figure(pairs)
    alt = f"Each person's AUROC with every sensor, {first} across and the other run up."
    return as_picture(as_svg(figure), alt, figure.tips)


def _people(made: RunComparison) -> dict[str, Any]:
    columns = [scores_of(made, run, FULL, "auroc") for run in made.runs]
    rows = [
        (name, ["–" if np.isnan(column[place]) else f"{column[place]:.3f}" for column in columns])
        for place, name in enumerate(made.people)
    ]
    return {
        "title": "",
        "about": "",
        "corner": "person",
        "columns": [run.name for run in made.runs],
        "rows": rows,
    }
