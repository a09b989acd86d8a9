# SPDX-License-Identifier: Apache-2.0
"""Everything that runs on the device: front end, C core, runtime.

>>> import mmq_bridge
>>> mmq_bridge.FrontEnd.wearable({"temp": 4}).modality_names
('temp',)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmq_bridge.decision.decisions import Decision
    from mmq_bridge.decision.device import Device
    from mmq_bridge.errors import BridgeError
    from mmq_bridge.front_end.front_end import FrontEnd

    __version__: str

__all__ = ["BridgeError", "Decision", "Device", "FrontEnd", "__version__"]

_HOMES = {
    "BridgeError": "mmq_bridge.errors",
    "Decision": "mmq_bridge.decision.decisions",
    "Device": "mmq_bridge.decision.device",
    "FrontEnd": "mmq_bridge.front_end.front_end",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for; the package alone imports nothing."""
    if name == "__version__":
        from importlib.metadata import version

        return version("mmq-bridge")
    if name not in _HOMES:
        raise AttributeError(f"module 'mmq_bridge' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
