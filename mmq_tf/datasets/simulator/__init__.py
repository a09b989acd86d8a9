"""A physiological simulator: people who differ, a condition that shifts them, sensors that fail.

Everything it makes is SIMULATED and says so.
"""

from mmq_tf.datasets.simulator.body import RATE_HZ
from mmq_tf.datasets.simulator.subject import (
    CLASSES,
    DEFAULT_MODALITIES,
    Interval,
    Settings,
    Truth,
    simulate,
)

__all__ = ["CLASSES", "DEFAULT_MODALITIES", "RATE_HZ", "Interval", "Settings", "Truth", "simulate"]
