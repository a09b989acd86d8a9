# SPDX-License-Identifier: Apache-2.0
"""What every net must beat: trivial guesses and trees, on the same folds and the same windows.

A net is never reported without them. None of them has a setting chosen on test subjects: all settings are
fixed here, before any data set is seen; logistic regression's strength is chosen on validation subjects.
"""

from mmq_tf.baselines.base import Baseline
from mmq_tf.baselines.clock import Clock
from mmq_tf.baselines.dummy import Majority, Stratified
from mmq_tf.baselines.models import Boosted, BoostedDropout, Forest, Logistic, LogisticDropout

BASELINES: dict[str, type[Baseline]] = {
    kind.name: kind
    for kind in (
        Majority,
        Stratified,
        Clock,
        Logistic,
        LogisticDropout,
        Forest,
        Boosted,
        BoostedDropout,
    )
}
"""Every baseline by its name in the results."""

__all__ = [
    "BASELINES",
    "Baseline",
    "Boosted",
    "BoostedDropout",
    "Clock",
    "Forest",
    "Logistic",
    "LogisticDropout",
    "Majority",
    "Stratified",
]
