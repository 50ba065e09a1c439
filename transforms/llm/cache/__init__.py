"""The answers a run has paid for, durable and shared: a content-addressed, append-only store in one place.

The place is a directory, or a prefix of a bucket. Both hold segments of the same lines, so that a segment copied from
one to the other is a cache there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Protocol

from transforms.llm.cache.bucket import Bucket
from transforms.llm.cache.directory import Directory
from transforms.llm.cache.lines import CacheError, Entry, request_key
from transforms.llm.cache.local import LocalCache
from transforms.llm.cache.packs import PACK_ANSWERS, BucketCache
from transforms.llm.cache.segments import Segments

__all__ = [
    "CacheError",
    "Entry",
    "ResponseCache",
    "Segments",
    "backlog",
    "check_cache",
    "open_cache",
    "open_segments",
    "request_key",
]


class ResponseCache(Protocol):
    """Answers by `request_key`, within one event loop; every method may raise `CacheError`."""

    def get(self, key: str) -> Entry | None:
        """Return the valid answer to a request, or None."""

    async def put(self, key: str, entry: Entry) -> None:
        """Keep an answer; when this returns, the death of the process does not lose it."""

    def entries(self) -> Iterator[tuple[str, Entry]]:
        """Yield every intact answer with its key, the invalid ones and repetitions included."""

    def close(self) -> None:
        """Keep what is under way and give up files, threads and connections."""


def open_cache(place: str, clock: Callable[[], float] = time.monotonic) -> ResponseCache:
    """Open the cache in a directory, which is made where it is missing, or below `gs://bucket/prefix`."""
    return BucketCache(place, clock) if "://" in place else LocalCache(place, clock)


def backlog(place: str) -> int:
    """Return how many answers may wait to be kept while others are asked for: two packs, one of them on its way.

    Who keeps that many requests under way beside those in flight never waits for a pack that only waits for him.
    """
    return 2 * PACK_ANSWERS if "://" in place else 0


def open_segments(place: str) -> Segments:
    """Return the segments of a cache, for those who look after them."""
    return Bucket(place) if "://" in place else Directory(place)


def check_cache(place: str) -> None:
    """Check that answers can be kept and found in a place. Raises `CacheError`."""
    if "://" not in place:
        Directory(place).check()
        return
    bucket = Bucket(place)
    try:
        bucket.check()
    finally:
        bucket.close()
