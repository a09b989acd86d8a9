# SPDX-License-Identifier: Apache-2.0
"""Read files in a process that may take only so much more memory."""

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

PROGRAM = """
import resource, sys
from pathlib import Path
from {module} import {reader}
from mmq_tf.errors import MMQError
with open("/proc/self/statm") as file:
    used = int(file.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + {mib} * 2**20,) * 2)
for path in sys.argv[1:]:
    try:
        {reader}(Path(path), *{more})
    except MMQError as error:
        sys.stdout.write(f"{{error}}\\n")
"""


def refusals_in(reader, paths: Iterable[Path], mib: int, *more: int) -> list[str]:
    """Call `reader(path, *more)` on each path with `mib` MiB to spare; return the refusals, one line each."""
    program = PROGRAM.format(module=reader.__module__, reader=reader.__name__, mib=mib, more=more)
    result = subprocess.run(
        [sys.executable, "-c", program, *map(str, paths)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()
