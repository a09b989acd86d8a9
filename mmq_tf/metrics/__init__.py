# SPDX-License-Identifier: Apache-2.0
"""The ground of judging: predictions, scores, their intervals, calibration, tables of results."""
