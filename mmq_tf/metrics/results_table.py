# SPDX-License-Identifier: Apache-2.0
"""The results contract: what a measured table looks like on disk, as JSON and as Markdown beside it."""

import importlib.metadata
import json
import math
import os
import platform
from pathlib import Path
from typing import Annotated, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from mmq_bridge.validation import first_problem
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from mmq_tf.errors import MMQError
from mmq_tf.metrics.names import CLOCK, FULL, TIME_MATCHED, WEARER_METRICS
from mmq_tf.utils.atomic_files import write_text

COUNTS = ("bytes", "gzip_bytes", "peak_bytes", "arena_bytes", "macs", "instructions")
"""Metrics that are whole numbers, shown without decimals."""
MANY_CONDITIONS = 16
"""More conditions than this are the rows of a table, and methods its columns."""
ABOUT = {
    TIME_MATCHED: "Pairs of a window of one person and a window of another at the same elapsed time "
    "(within 15 s), of different classes: the share ranked right. A clock scores about 0.5.",
    "wearer": "By the hour of judged time, from each recording's windows in their order: how often the shown "
    "decision changes, and the truth; alarms that begin at rest; the share of tasks with an alarm; the share "
    "of decisions withheld as unsure (by the network alone; the others have no such limit).",
}
"""What a reader must know of a metric, above its table."""
FAIR_CLOCK = (0.4, 0.6)
"""Where elapsed time alone tells the label no better than this, there is nothing to warn of."""
LEAKY_SPLIT = "windows-shuffled"
TRANSDUCTIVE_NORMALISATION = "session"
TEMPLATES = Path(__file__).parent / "templates"


def _nan_to_none(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value


Number = Annotated[float | None, BeforeValidator(_nan_to_none)]
"""A finite number, or None (JSON null) where it is not defined; NaN becomes None."""


class ResultRow(BaseModel):
    """One number of a table.

    Attributes
    ----------
    method, condition, metric : str
        As named in the design: ``mmqnet``, ``no-eda``, ``auroc``.
    mean : float or None
        Mean over seeds of the mean over subjects; None where nobody has a value.
    low, high : float or None
        95 % bootstrap interval over subjects; None for what has none (a file's size).
    n : int
        Subjects behind the mean (or runs, for what is not measured on subjects).
    seed_std : float, optional
        Standard deviation over seeds of the mean over subjects; left out with one seed.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    method: str = Field(min_length=1)
    condition: str = Field(min_length=1)
    metric: str = Field(min_length=1)
    mean: Number
    low: Number = None
    high: Number = None
    n: int = Field(ge=0)
    seed_std: Number = None


class ResultsFile(BaseModel):
    """A measured table and how it was made.

    Attributes
    ----------
    name : str
        The file's name without ending.
    command : str
        What was typed to measure it.
    version : str
        Version of this package.
    data : str
        Data set, and how many subjects.
    simulated : bool
        Whether any of the data was simulated; stamped SIMULATED wherever shown.
    split, normalisation : str
        Begin with the name used on the command line, then may say more: ``windows-shuffled`` is stamped
        LEAKY, ``session`` TRANSDUCTIVE.
    seeds : tuple of int
    machine : str
        What it was measured on, as `machine_description` gives it.
    rows : tuple of ResultRow
    notes : tuple of str
        Remarks under the table, such as who has no AUROC and why.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    name: str = Field(min_length=1)
    command: str
    version: str
    data: str
    simulated: bool
    split: str
    normalisation: str
    seeds: tuple[int, ...]
    machine: str
    rows: tuple[ResultRow, ...]
    notes: tuple[str, ...] = ()

    @property
    def stamps(self) -> tuple[str, ...]:
        """Warnings that go with every number of this table: SIMULATED, LEAKY, TRANSDUCTIVE."""
        found = {
            "SIMULATED": self.simulated,
            "LEAKY": self.split.startswith(LEAKY_SPLIT),
            "TRANSDUCTIVE": self.normalisation.startswith(TRANSDUCTIVE_NORMALISATION),
        }
        return tuple(stamp for stamp, applies in found.items() if applies)

    @property
    def cautions(self) -> tuple[str, ...]:
        """What must be read before any number of this table, a sentence each."""
        row = self.row(CLOCK, FULL, "auroc")
        if row is None or row.mean is None or FAIR_CLOCK[0] <= row.mean <= FAIR_CLOCK[1]:
            return ()
        matched = any(row.metric == TIME_MATCHED for row in self.rows)
        advice = (
            "Read time-matched AUROC."
            if matched
            else "Too few people do different tasks at the same elapsed time for a time-matched AUROC, so no "
            "number here tells the label from the time."
        )
        return (
            f"A clock alone, which sees nothing but elapsed time, has an AUROC of {row.mean:.2f} here: the "
            f"order of the tasks tells the label. {advice}",
        )

    @property
    def methods(self) -> tuple[str, ...]:
        """Methods in order of first appearance."""
        return tuple(dict.fromkeys(row.method for row in self.rows))

    @property
    def conditions(self) -> tuple[str, ...]:
        """Conditions in order of first appearance."""
        return tuple(dict.fromkeys(row.condition for row in self.rows))

    @property
    def metrics(self) -> tuple[str, ...]:
        """Metrics in order of first appearance."""
        return tuple(dict.fromkeys(row.metric for row in self.rows))

    def row(self, method: str, condition: str, metric: str) -> ResultRow | None:
        """Find one number, or None where the table has none."""
        return self._index().get((method, condition, metric))

    def _index(self) -> dict[tuple[str, str, str], ResultRow]:
        return {(row.method, row.condition, row.metric): row for row in self.rows}

    def to_json(self) -> str:
        """Render as JSON, one row a line, so that differences between versions can be read."""
        head = self.model_dump(mode="json", exclude={"rows", "notes"})
        rows = [row.model_dump(mode="json", exclude=_unsaid(row)) for row in self.rows]
        body = ",\n  ".join(json.dumps(row, ensure_ascii=False) for row in rows)
        lines = [f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in head.items()]
        lines += [f'"notes": {json.dumps(list(self.notes), ensure_ascii=False)}'] if self.notes else []
        lines.append(f'"rows": [\n  {body}\n ]' if rows else '"rows": []')
        return "{\n " + ",\n ".join(lines) + "\n}\n"


def _unsaid(row: ResultRow) -> set[str]:
    return {"seed_std"} if row.seed_std is None else set()


def read_results(path: str | Path) -> ResultsFile:
    """Read and check a results file.

    Raises
    ------
    MMQError
        Naming the file and the place, when it is absent, not JSON, or not by the contract.
    """
    try:
        return ResultsFile.model_validate_json(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise MMQError(f"{path}: could not be read ({error.strerror or error}).") from error
    except UnicodeDecodeError as error:
        raise MMQError(
            f"{path}: expected UTF-8 text, but byte {error.start} is not; was it changed?"
        ) from error
    except ValidationError as error:
        found = first_problem(error)
        place = found.place or "the whole file"
        raise MMQError(
            f"{path}: {place} is not as a results file should have it: {found.message}."
        ) from error


def write_results(path: str | Path, results: ResultsFile) -> tuple[Path, Path]:
    """Write a results file and, beside it, the same table as Markdown.

    Parameters
    ----------
    path : path
        Ends in ``.json``.
    results : ResultsFile

    Returns
    -------
    tuple of Path
        The JSON and the Markdown file.

    Raises
    ------
    MMQError
        When the ending is another or a file cannot be written; nothing half-written is left.
    """
    path = Path(path)
    if path.suffix != ".json":
        raise MMQError(f"{path}: a results file's name should end in .json.")
    rendered, table = results.to_json(), render_markdown(results)
    beside = path.with_suffix(".md")
    write_text(beside, table)
    write_text(path, rendered)
    return path, beside


def render_markdown(results: ResultsFile) -> str:
    """Render a results file as Markdown: a table a metric, methods as rows, conditions as columns."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.get_template("results.md.j2")
    return template.render(results=results, tables=result_tables(results)).rstrip() + "\n"


def result_tables(results: ResultsFile) -> list[dict[str, Any]]:
    """Arrange rows as tables of text: ``title, about, corner, columns, rows`` with rows of (name, cells).

    One table a metric, methods by conditions (the other way round where there are more than
    `MANY_CONDITIONS`), then `wearer_tables`; a single method's several metrics make one table, metrics by
    conditions.
    """
    index = results._index()
    if len(results.methods) == 1 and len(results.metrics) > 1:
        method = results.methods[0]
        rows = [
            (m, [format_cell(index.get((method, c, m))) for c in results.conditions]) for m in results.metrics
        ]
        return [
            {"title": method, "about": "", "corner": "metric", "columns": results.conditions, "rows": rows}
        ]
    tables = []
    for metric in results.metrics:
        if metric in WEARER_METRICS:
            continue
        here = tuple(c for c in results.conditions if any((m, c, metric) in index for m in results.methods))
        methods = tuple(m for m in results.methods if any((m, c, metric) in index for c in here))
        if len(here) > MANY_CONDITIONS:
            stamps = "".join(f" {stamp}" for stamp in results.stamps if stamp != "SIMULATED")
            corner, columns = "condition", tuple(m + stamps for m in methods)
            rows = [(c, [format_cell(index.get((m, c, metric))) for m in methods]) for c in here]
        else:
            corner, columns = "method", here
            rows = [(m, [format_cell(index.get((m, c, metric))) for c in here]) for m in methods]
        about = ABOUT.get(metric, "")
        tables.append({"title": metric, "about": about, "corner": corner, "columns": columns, "rows": rows})
    return tables + wearer_tables(results)


def wearer_tables(results: ResultsFile) -> list[dict[str, Any]]:
    """Arrange what a wearer meets as `result_tables` does: a table a condition, methods by metrics."""
    index, tables = results._index(), []
    for condition in results.conditions:
        metrics = tuple(
            name for name in WEARER_METRICS if any((m, condition, name) in index for m in results.methods)
        )
        methods = [m for m in results.methods if any((m, condition, name) in index for name in metrics)]
        rows = [(m, [format_cell(index.get((m, condition, name))) for name in metrics]) for m in methods]
        if rows:
            title, about = f"what a wearer meets, {condition}", ABOUT["wearer"]
            tables.append(
                {"title": title, "about": about, "corner": "method", "columns": metrics, "rows": rows}
            )
    return tables


def format_cell(row: ResultRow | None) -> str:
    """Format one number as text.

    Examples
    --------
    >>> format_cell(ResultRow(method="m", condition="c", metric="ece", mean=0.8, low=0.75, high=0.851, n=9))
    '0.800 [0.750, 0.851]'
    >>> format_cell(ResultRow(method="nano", condition="int8", metric="bytes", mean=91234, n=1))
    '91,234'
    >>> format_cell(ResultRow(method="core", condition="ica", metric="max_abs_error_uv", mean=2.4e-5, n=1))
    '2.4e-05'
    """
    if row is None or row.mean is None:
        return "–"
    if row.metric in COUNTS:
        return f"{row.mean:,.0f}"
    digits = 1 if row.metric.endswith(("_us", "_per_hour")) else 3
    if 0 < abs(row.mean) < 0.5 * 10.0**-digits:
        return f"{row.mean:.1e}"
    interval = (
        "" if row.low is None or row.high is None else f" [{row.low:.{digits}f}, {row.high:.{digits}f}]"
    )
    return f"{row.mean:.{digits}f}{interval}"


def machine_description(accelerator: str | None = None) -> str:
    """Describe what numbers were measured on: system, processor, cores, Python and the computing libraries.

    Parameters
    ----------
    accelerator : str, optional
        The GPU used, where one was.
    """
    parts = [f"{platform.system()} {platform.machine()}", f"{os.cpu_count() or 1} cores"]
    parts += [name for name in (_processor(), accelerator) if name]
    parts.append(f"Python {platform.python_version()}")
    for package in ("numpy", "scikit-learn", "keras", "tensorflow"):
        try:
            parts.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return ", ".join(parts)


def _processor() -> str:
    """Name the processor where Linux tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
