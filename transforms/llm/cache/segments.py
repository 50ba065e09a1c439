"""What a directory and a bucket have in common: segments of lines, whose names end in `SUFFIX`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from transforms.llm.cache.lines import split_lines


class Segment(NamedTuple):
    """A file or object of lines.

    Attributes:
      name: its name within the place.
      size: its bytes when it was listed.
      version: what tells an object from another one that takes its name; 0 for a file.
    """

    name: str
    size: int
    version: int = 0


class Segments(Protocol):
    """The segments at one place. Every method raises `CacheError` where the place cannot be used."""

    @property
    def place(self) -> str:
        """Where they are, as the user names it."""

    @property
    def segment_bytes(self) -> int:
        """How large a segment should be, where there is a choice."""

    def listed(self) -> list[Segment]:
        """Return the segments, by name."""

    def chunks(self, segment: Segment) -> Iterator[bytes]:
        """Yield the bytes of a segment, in pieces.

        Raises:
          FileNotFoundError: it is no longer there.
        """

    def in_use(self, segment: Segment) -> bool:
        """Return whether a process may still append to a segment."""

    def add(self, data: bytes) -> Segment:
        """Keep some lines as a new segment; when this returns it is durable, and until then there is none."""

    def remove(self, segments: Sequence[Segment]) -> None:
        """Remove segments, but none that is in use; one that is gone already is no error."""


def lines_of(segments: Segments, segment: Segment) -> Iterator[tuple[int, bytes]]:
    """Yield (offset, line) over a segment, as `split_lines`. Raises `FileNotFoundError` where it is gone."""
    return split_lines(segments.chunks(segment))
