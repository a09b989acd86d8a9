# SPDX-License-Identifier: Apache-2.0
"""Judging: metrics, intervals over subjects, prediction files, result files, the report of a run."""
