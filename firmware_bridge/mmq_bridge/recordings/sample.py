# SPDX-License-Identifier: Apache-2.0
"""The SIMULATED recording that comes with mmq-bridge: four minutes on the wrist, after an enrolment.

Its wearer was enrolled with ``wrist-stress``, the model that comes with mmq-tf, so decisions begin after one
window. Nobody was measured: it shows what decisions look like, and no result.
"""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parents[1] / "sample"
"""A recording folder."""
STATE = FOLDER / "enrolment.state"
"""What the wearer taught before, as `Device.save_state` writes it."""
