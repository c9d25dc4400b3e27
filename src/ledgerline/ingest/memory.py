"""Give memory back when it is freed.

By default glibc keeps large blocks that a program has freed for its next request, and more of them the larger
they were: the stages of a run, whose needs differ, would pile up to a peak a quarter higher.
"""

from __future__ import annotations

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of mallopt(3)
_LARGE = 1 << 20  # bytes


def return_freed_memory() -> None:
    """From now on the process returns freed blocks of a megabyte and more at once, where glibc is used."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(_TRIM_THRESHOLD, _LARGE)
        mallopt(_MMAP_THRESHOLD, _LARGE)
