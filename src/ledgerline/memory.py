"""Give memory back when it is freed, and do not look for garbage where there is none.

Allocators keep what a program has freed for its next request: glibc large blocks, jemalloc whole arenas. The
stages of a run, whose needs differ, would pile up to a peak a third higher.
"""

from __future__ import annotations

import ctypes
import gc
import os
import sys
from functools import cache

_JEMALLOC = "_RJEM_MALLOC_CONF"  # the allocator of Polars, except on Windows; read once, when that is loaded
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of mallopt(3)
_LARGE = 4 << 20  # bytes; to ask for smaller ones anew, again and again, takes time and spares little


def share_arenas() -> None:
    """Let jemalloc have one arena for each core instead of four, and return pages when they have decayed.

    To be called before Polars is imported. Child processes do the same. An environment that names `narenas`
    holds; one that does not may come from Polars, which leaves its own settings there for its children.
    """
    given = os.environ.get(_JEMALLOC, "")
    if "narenas:" not in given:
        ours = f"narenas:{os.cpu_count() or 1},muzzy_decay_ms:0"
        os.environ[_JEMALLOC] = f"{given},{ours}" if given else ours


def return_freed_memory() -> None:
    """From now on the process returns freed blocks of four megabytes and more at once, with glibc."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(_TRIM_THRESHOLD, _LARGE)
        mallopt(_MMAP_THRESHOLD, _LARGE)


@cache
def spare_lasting_objects() -> None:
    """From now on the search for garbage leaves out what there is: modules, plans of numbers, metadata.

    They are some hundred thousand objects. To look through them again and again, with the interpreter's lock
    in hand, took a twentieth of the processor time of a first load. Once a process: each time would keep what
    is garbage then.
    """
    gc.freeze()
