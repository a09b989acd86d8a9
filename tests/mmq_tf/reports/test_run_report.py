# SPDX-License-Identifier: Apache-2.0
import pytest

from mmq_tf.config.run_config import load_config
from mmq_tf.reports.run_report import enrolment_words


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (["front_end.frontend_version=2"], ", the first 120 s of the test subject, not scored"),
        ([], ", the first measured 120 s of the test subject, not scored"),
        (["normalisation={mode='running'}"], ""),
        (
            ["normalisation.rest_class=rest"],
            ", the first measured 120 s of the test subject's first 'rest' trial, not scored",
        ),
    ],
)
def test_the_report_says_what_the_enrolment_takes(changes, words):
    assert enrolment_words(load_config("simulated", changes)) == words
