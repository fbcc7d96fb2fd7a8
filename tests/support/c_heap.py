"""How much of C's heap this process uses. Python's objects don't show what OpenSSL allocates."""

from __future__ import annotations

import ctypes
import gc
from unittest import SkipTest


class _Statistics(ctypes.Structure):
    """``struct mallinfo2`` of glibc 2.33 and newer (mallinfo(3))."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            "arena",
            "ordblks",
            "smblks",
            "hblks",
            "hblkhd",
            "usmblks",
            "fsmblks",
            "uordblks",
            "fordblks",
            "keepcost",
        )
    )


def heap_bytes() -> int:
    """Return the allocated bytes of C's heap."""
    ask = getattr(ctypes.CDLL(None), "mallinfo2", None)
    if ask is None:
        raise SkipTest("this C library doesn't say how much of its heap is in use: it needs glibc 2.33")
    ask.restype = _Statistics
    gc.collect()
    statistics = ask()
    in_use: int = statistics.uordblks + statistics.hblkhd
    return in_use
