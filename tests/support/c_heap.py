"""How much of C's heap this process uses: what OpenSSL takes, Python's objects can't tell."""

from __future__ import annotations

import ctypes
import gc


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
    """Return the bytes that are in use."""
    ask = ctypes.CDLL(None).mallinfo2
    ask.restype = _Statistics
    gc.collect()
    statistics = ask()
    in_use: int = statistics.uordblks + statistics.hblkhd
    return in_use
