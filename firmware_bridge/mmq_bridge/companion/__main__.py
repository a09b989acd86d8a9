# SPDX-License-Identifier: Apache-2.0
"""`python -m mmq_bridge.companion`: build the page's core again after a change of its C sources."""

import sys

from mmq_bridge.companion.build import build
from mmq_bridge.errors import BridgeError


def main() -> None:
    """Build, and say how large it is."""
    try:
        made = build()
    except BridgeError as error:
        sys.exit(str(error))
    sys.stdout.write(f"{made.name}: {made.stat().st_size} bytes\n")


if __name__ == "__main__":
    main()
