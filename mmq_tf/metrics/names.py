# SPDX-License-Identifier: Apache-2.0
"""Names in the results that several modules must know."""

FULL = "full"
"""The condition in which nothing is hidden."""
DISPLAY_S = 30.0
"""Length of the display filter where tables show one, in seconds."""
DISPLAY = f"display-{DISPLAY_S:g}s"
"""The condition in which nothing is hidden and decisions are shown through the display filter."""
CLOCK = "clock"
"""The method that sees nothing but elapsed time; it is no rival of any other."""
TIME_MATCHED = "time_matched_auroc"
WEARER_METRICS = (
    "changes_per_hour",
    "truth_changes_per_hour",
    "false_alarms_per_hour",
    "tasks_alarmed",
    "withheld_share",
)
"""What a wearer meets, see `mmq_tf.metrics.wearer`."""
