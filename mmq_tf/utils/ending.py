# SPDX-License-Identifier: Apache-2.0
"""Worker processes that end with the process that started them, however that ends."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
import threading
from multiprocessing.process import BaseProcess

_PR_SET_PDEATHSIG = 1


def end_with_parent(started_by_main_thread: bool = False) -> None:
    """Let this worker process of `multiprocessing` be killed when its parent ends.

    Parameters
    ----------
    started_by_main_thread : bool
        Whether the parent's main thread started it: Linux itself kills a process when the *thread* that
        started it ends.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    threading.Thread(target=_end_after, args=(parent,), name="end-with-parent", daemon=True).start()
    if sys.platform.startswith("linux") and started_by_main_thread:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent.pid:  # it ended before we asked
            os._exit(1)


def _end_after(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)
