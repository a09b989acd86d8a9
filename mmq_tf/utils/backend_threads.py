# SPDX-License-Identifier: Apache-2.0
"""One thread per process for the training backend, so that processes side by side do not slow each other."""

import os

THREADS = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")


def one_thread_per_process() -> None:
    """Keep the training backend to one thread and the same numbers each time.

    For the command line and worker processes, before the backend is imported; what the user set stays.
    """
    for name in THREADS:
        os.environ.setdefault(name, "1")
    os.environ.setdefault("TF_DETERMINISTIC_OPS", "1")
