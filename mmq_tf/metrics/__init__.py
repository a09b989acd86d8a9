"""The ground of judging: predictions, scores, their intervals, calibration, tables of results."""
