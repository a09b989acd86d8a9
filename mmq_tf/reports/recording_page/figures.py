# SPDX-License-Identifier: Apache-2.0
"""Pictures of a recording: all of it, and stretches of one signal at full resolution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from matplotlib.figure import Figure

from mmq_tf.reports.figures import INK
from mmq_tf.reports.recording_page.presence_rows import BEYOND, legend_rows, trial_rows
from mmq_tf.reports.recording_page.rows import sensor_rows
from mmq_tf.reports.recording_page.time_rows import Row, gap, heading, paragraph, rows_figure, time_axis
from mmq_tf.reports.recording_page.view import RecordingView


def overview_figure(
    view: RecordingView, title: str = "", above: Sequence[str] = (), below: Sequence[str] = ()
) -> Figure:
    """Draw every signal of what is looked at, with its trials above and its tokens below each.

    Parameters
    ----------
    view : RecordingView
    title : str
        Above the picture; empty where the page around it says so.
    above, below : sequence of str
        Lines of small text.
    """
    rows = [heading(title, size=14, colour=BEYOND if view.recording.simulated else INK)] if title else []
    rows += [paragraph(line) for line in above]
    rows += [gap(0.12), *trial_rows(view)]
    for modality in view.recording.modalities:
        rows += sensor_rows(view, modality)
    rows += [time_axis(view.from_s, view.to_s), *legend_rows(view), gap(0.06)]
    return rows_figure(rows + [paragraph(line) for line in below])


def zoom_figure(view: RecordingView, modality: str, stretches: dict[str, tuple[float, float]]) -> Figure:
    """Draw stretches of one signal at full resolution, one under the other, each with its name."""
    rows: list[Row] = []
    for name, (start_s, stop_s) in stretches.items():
        part = replace(view, from_s=start_s, to_s=min(stop_s, view.recording.duration_s))
        rows += [*sensor_rows(part, modality, name), time_axis(part.from_s, part.to_s), gap(0.1)]
    return rows_figure(rows)
