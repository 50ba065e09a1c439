"""Segments in a bucket: objects that are written whole, once, under names of their own."""

from __future__ import annotations

import contextlib
import re
import time
import uuid
from collections.abc import Iterator, Sequence
from typing import Any, Final

from transforms.llm.cache.lines import SUFFIX, CacheError, cannot
from transforms.llm.cache.segments import Segment
from transforms.storage import explained, missing, retry

_PLACE: Final = re.compile(r"gs://([a-z0-9][a-z0-9._-]{1,220}[a-z0-9])(?:/(.*))?")
_TIMEOUT_S: Final = 60.0
"""How long one request may take."""
_STAMP: Final = "%Y%m%dT%H%M%SZ"
_SKEW_S: Final = 600.0
"""How far a writer's clock, and the minutes an upload may be tried again, can put a name before its appearance."""


class Bucket:
    """The segments below `gs://bucket/prefix` (see `Segments`). Any thread may use it.

    Args:
      place: the address.

    Raises:
      CacheError: the address is none, the client library is missing, or there are no credentials.
    """

    segment_bytes = 4 * 2**20

    def __init__(self, place: str) -> None:
        self.place = place.rstrip("/")
        matched = _PLACE.fullmatch(self.place)
        if matched is None:
            raise cannot("open", place, "no such address", "write gs://BUCKET/PREFIX")
        prefix = matched[2] or ""
        self._prefix = f"{prefix}/" if prefix else ""
        if (lack := missing()) is not None:
            raise cannot("open", self.place, *lack)
        from google.cloud import storage

        self._again = retry()
        with self._calling("open"):
            self._client = storage.Client()
        self._bucket = self._client.bucket(matched[1])

    def check(self) -> None:
        """Try to list, write and read, so that a run that could not keep its answers never asks for them."""
        self.listed(since=time.time())
        probe = self._bucket.blob(f"{self._prefix}probe-{uuid.uuid4().hex}")
        with self._calling("write"):
            probe.upload_from_string(b"probe", if_generation_match=0, **self._options())
        with self._calling("read"):
            probe.download_as_bytes(**self._options())
        with contextlib.suppress(CacheError), self._calling("write"):  # who may add need not be allowed to delete
            probe.delete(**self._options())

    def listed(self, since: float | None = None) -> list[Segment]:
        """Return the segments, by name; since a Unix time, only those added since then, and a few before."""
        start = None if since is None else self._prefix + _stamp(since - _SKEW_S)
        fields = "items(name,size,generation),nextPageToken"
        with self._calling("read"):
            found = self._client.list_blobs(
                self._bucket,
                prefix=self._prefix,
                delimiter="/",
                start_offset=start,
                fields=fields,
                **self._options(),
            )
            return [
                Segment(blob.name.removeprefix(self._prefix), blob.size, blob.generation)
                for blob in found
                if blob.name.endswith(SUFFIX) and blob.size
            ]

    def chunks(self, segment: Segment) -> Iterator[bytes]:
        for start in range(0, segment.size, self.segment_bytes):
            yield self.read(segment, start, min(start + self.segment_bytes, segment.size))

    def read(self, segment: Segment, start: int, stop: int) -> bytes:
        """Return the bytes [start, stop) of a segment.

        Raises:
          FileNotFoundError: it is no longer there.
        """
        from google.api_core.exceptions import NotFound

        blob = self._bucket.blob(self._prefix + segment.name, generation=segment.version)
        with self._calling("read"):
            try:
                return bytes(blob.download_as_bytes(start=start, end=stop - 1, **self._options()))
            except NotFound:
                raise FileNotFoundError(f"{self.place}/{segment.name}") from None

    def in_use(self, segment: Segment) -> bool:
        return False  # an object never grows

    def add(self, data: bytes) -> Segment:
        """Keep some lines as a new segment, and return it."""
        from google.api_core.exceptions import PreconditionFailed

        name = f"{_stamp(time.time())}-{uuid.uuid4().hex}{SUFFIX}"
        blob = self._bucket.blob(self._prefix + name)
        with self._calling("write"):
            try:
                blob.upload_from_string(
                    data, content_type="application/x-ndjson", if_generation_match=0, **self._options()
                )
            except PreconditionFailed:
                # Nobody else has this name: it was an earlier try of ours whose answer was lost.
                blob.reload(**self._options())
        return Segment(name, len(data), blob.generation)

    def remove(self, segments: Sequence[Segment]) -> None:
        from google.api_core.exceptions import NotFound

        for segment in segments:
            blob = self._bucket.blob(self._prefix + segment.name)
            with self._calling("write"), contextlib.suppress(NotFound):
                blob.delete(if_generation_match=segment.version, **self._options())

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _options(self) -> dict[str, Any]:
        return {"retry": self._again, "timeout": _TIMEOUT_S}

    @contextlib.contextmanager
    def _calling(self, verb: str) -> Iterator[None]:
        """Turn what the client library raises into a `CacheError`."""
        try:
            yield
        except (CacheError, FileNotFoundError):
            raise
        except Exception as error:
            said = explained(error)
            if said is None:
                raise
            raise cannot(verb, self.place, *said) from error


def _stamp(at: float) -> str:
    return time.strftime(_STAMP, time.gmtime(at))
