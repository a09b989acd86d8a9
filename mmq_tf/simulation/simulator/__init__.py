# SPDX-License-Identifier: Apache-2.0
"""A physiological simulator: people who differ, a condition that shifts them, sensors that fail.

Everything it makes is SIMULATED and says so.
"""

from mmq_tf.simulation.simulator.body import RATE_HZ
from mmq_tf.simulation.simulator.subject import Settings, simulate

__all__ = ["RATE_HZ", "Settings", "simulate"]
