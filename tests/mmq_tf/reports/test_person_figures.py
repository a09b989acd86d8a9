# SPDX-License-Identifier: Apache-2.0
"""Person by person: who wins is counted, and those on whom methods differ most are named."""

import numpy as np

from mmq_tf.reports.person_figures import PairedComparison, confusion_counts, confusion_figure, subject_figure

OURS = np.array([0.9, 0.8, np.nan, 0.6, 0.7])
THEIRS = np.array([0.5, 0.8, 0.9, 0.9, 0.65])
PAIR = PairedComparison("no-eda", "mmqnet", "forest", OURS, THEIRS, ["a", "b", "c", "d", "e"])


def test_a_tie_is_no_win_and_who_has_no_score_does_not_count():
    assert PAIR.wins == 2
    assert PAIR.known.tolist() == [True, True, False, True, True]


def test_the_persons_who_differ_most_are_named_and_the_sides_counted():
    figure = subject_figure([PAIR, PAIR])
    for axis in figure.axes:
        assert [text.get_text() for text in axis.texts] == ["a", "d", "e"]
        legend = axis.get_legend()
        assert legend is not None
        assert [t.get_text() for t in legend.get_texts()] == [
            "mmqnet at least as good: 3",
            "forest better: 1",
        ]
        assert legend.get_title().get_text() == "no-eda"
        assert axis.get_xlim() == axis.get_ylim()


def test_a_confusion_matrix_says_shares_of_the_true_class():
    counts = confusion_counts(np.array([0, 0, 0, 0, 1]), np.array([0, 0, 0, 1, 1]), 2)
    assert counts.tolist() == [[3, 1], [0, 1]]
    (axis,) = confusion_figure({"full": counts}, ["rest", "stress"]).axes
    assert [t.get_text() for t in axis.texts] == ["75 %\n3", "25 %\n1", "0 %\n0", "100 %\n1"]
