# SPDX-License-Identifier: Apache-2.0
"""
C on an emulated Cortex-M4F
===========================

A bundle holds its own C program. Here it is built with the bundle's CMake file for a Cortex-M4F, run in
QEMU, and its last decision is printed, as bits. No board was used.

It needs a cross compiler and QEMU (Debian: ``apt install cmake ninja-build gcc-arm-none-eabi
libnewlib-arm-none-eabi qemu-system-arm``). Without them the example says what is missing, and stops there.
"""

# %%
# Write the bundle
# ----------------
import tempfile
from pathlib import Path

from mmq_bridge.bundle import cortex_m4f

import mmq_tf

work = Path(tempfile.mkdtemp())
bundle = mmq_tf.export("wrist-stress", work / "watch")
code = bundle.folder / "mmq_bridge"
print(sum(1 for _ in code.rglob("*.c")), "C files,", sum(1 for _ in code.rglob("*.h")), "headers")

# %%
# Build and run
# -------------
# The same by hand::
#
#     cmake -S mmq_bridge -B build -DCMAKE_TOOLCHAIN_FILE=cortex_m4f/toolchain.cmake && cmake --build build
#     qemu-system-arm -M mps2-an386 -nographic -semihosting-config enable=on,target=native \
#         -kernel build/mmq_example.elf
missing = cortex_m4f.missing_tools()
if missing:
    print("not run, for want of", ", ".join(missing))
else:
    program = cortex_m4f.build(code, work / "build")
    lines = cortex_m4f.run_emulated(program, bundle.folder).splitlines()
    print(program.name, program.stat().st_size, "bytes with debug information;", len(lines), "lines printed")
    print(lines[-1])

# %%
# The last line is a decision: its token, why it may not be acted on (0 is: it may), the likeliest class,
# and the probabilities as the bits of float32. ``mmq-tf verify`` compares every line with ``golden/``.
