"""Giving freed memory back to the operating system, which allocators keep for themselves."""

import ctypes

import pyarrow as pa


def give_back() -> None:
    """Return what Arrow's allocator and, where it is glibc's, that of C have freed.

    Take it between large pieces of work: each leaves memory in blocks that the next one does not fit into.
    """
    pa.default_memory_pool().release_unused()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
