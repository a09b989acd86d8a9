# SPDX-License-Identifier: Apache-2.0
"""pylsl, which is an extra, with a word on how to get it."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from types import ModuleType

from mmq_bridge.errors import BridgeError

_QUIET = "[log]\nlevel = -3\n"
_CONFIG_FILES = ("lsl_api.cfg", "~/lsl_api/lsl_api.cfg", "/etc/lsl_api/lsl_api.cfg")


@functools.cache
def load_lsl() -> ModuleType:
    """Import pylsl; liblsl keeps its log to itself unless somebody configured it.

    Done once: liblsl reads its configuration when it is first used.

    Raises
    ------
    BridgeError
        When pylsl or its library is not there.
    """
    try:
        import pylsl
    except (ImportError, RuntimeError, OSError) as error:
        reason = str(error).splitlines()[0][:80] if str(error) else type(error).__name__
        raise BridgeError(
            f"Lab Streaming Layer: expected pylsl with its library, got: {reason}; "
            "install it with: pip install 'mmq-bridge[live]'"
        ) from error
    if "LSLAPICFG" not in os.environ and not any(Path(name).expanduser().is_file() for name in _CONFIG_FILES):
        pylsl.set_config_content(_QUIET)
    return pylsl
