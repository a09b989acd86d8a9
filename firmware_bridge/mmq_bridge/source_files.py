# SPDX-License-Identifier: Apache-2.0
"""Where the C sources, the example, the phone libraries, the web package and the firmware guide lie."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parent
SOURCES = _PACKAGE.parent if (_PACKAGE.parent / "core").is_dir() else _PACKAGE / "sources"
"""Folder of `core/`, `example/`, `mobile/`, `web/` and `README.md`: beside the package in a checkout,
inside it where the package was installed."""

CORTEX_M = _PACKAGE / "targets" / "cortex_m"
"""Start-up code and linker scripts of the emulated boards."""
