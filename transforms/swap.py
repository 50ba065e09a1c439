"""A small file that is replaced as a whole, by whoever has seen what it replaces: compare and swap.

On a disk a lock (flock) on a file beside it orders the writers, and a rename makes the change; on `gs://` the bucket
compares generations. A reader sees the old content or the new, never a part.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import random
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from transforms.storage import StorageError, reaching, retry

_OBJECT: Final = re.compile(r"gs://([a-z0-9][a-z0-9._-]{1,220}[a-z0-9])/(.+)")
_TIMEOUT_S: Final = 60.0
"""How long one request may take."""
_ABSENT: Final = ""
_PAUSE_S: Final = 0.05


class SwapError(OSError):
    """The file cannot be read or replaced; one line that names it and the remedy."""


class ConflictError(Exception):
    """Somebody else has replaced the file since it was read."""


class Version(NamedTuple):
    """What a file held when it was read.

    Attributes:
      content: null where there is no file.
      token: tells this content from any other one. Hence no two writers may write the same, and nobody what has been
        there before: let the content name its writer, or count.
    """

    content: bytes | None
    token: str


def read(path: str) -> Version:
    """Return what a file holds. Raises `SwapError`."""
    return _read_object(path) if "://" in path else _read_file(Path(path))


def write(path: str, content: bytes, token: str) -> str:
    """Replace a file, and return the token of its new content.

    Args:
      path: a local path, whose directory is made where it is missing, or gs://bucket/name.
      token: of what it held when it was read.

    Raises:
      ConflictError: it holds something else by now, and is left as it is.
      SwapError: it cannot be written.
    """
    return _write_object(path, content, token) if "://" in path else _write_file(Path(path), content, token)


def update(path: str, change: Callable[[bytes | None], bytes | None]) -> bytes | None:
    """Change a file whatever others do to it meanwhile, and return what it holds then.

    Args:
      change: from the content to the next one, asked again after each conflict; null leaves the file as it is.

    Raises:
      SwapError: as `read` and `write`; and what `change` raises.
    """
    tries = 0
    while True:
        before, token = read(path)
        content = change(before)
        if content is None:
            return before
        try:
            write(path, content, token)
        except ConflictError:
            tries += 1
            time.sleep(random.uniform(0, min(1.0, _PAUSE_S * tries)))
        else:
            return content


def _read_file(path: Path) -> Version:
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return Version(None, _ABSENT)
    except OSError as error:
        raise _cannot("read", path, error) from None
    return Version(content, hashlib.sha256(content).hexdigest())


def _write_file(path: Path, content: bytes, token: str) -> str:
    try:
        with _alone(path):
            if _read_file(path).token != token:
                raise ConflictError(f"{path} has been replaced")
            temporary = path.with_name(f".{path.name}.tmp")  # of one writer at a time: a crash leaves one at most
            with temporary.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
            directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)
    except SwapError:
        raise
    except OSError as error:
        raise _cannot("write", path, error) from None
    return hashlib.sha256(content).hexdigest()


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keep all other writers of a file out, those of this process included; the lock goes with the process."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f".{path.name}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _cannot(verb: str, path: Path, error: OSError) -> SwapError:
    remedy = "mend its permissions, free space there, or name another directory, on a filesystem that knows locks"
    return SwapError(f"cannot {verb} {path} ({error.strerror or error}); {remedy}")


def _read_object(path: str) -> Version:
    with _calling("read", path) as (blob, options):
        from google.api_core.exceptions import NotFound

        while True:
            seen = blob.bucket.blob(blob.name)
            try:
                seen.reload(**options)
            except NotFound:
                return Version(None, "0")
            # Of this generation alone: another may replace it between the two requests.
            with contextlib.suppress(NotFound):
                return Version(bytes(seen.download_as_bytes(**options)), str(seen.generation))


def _write_object(path: str, content: bytes, token: str) -> str:
    with _calling("write", path) as (blob, options):
        from google.api_core.exceptions import PreconditionFailed

        try:
            blob.upload_from_string(content, content_type="application/json", if_generation_match=int(token), **options)
        except PreconditionFailed:
            # An earlier try of ours may have come through while its answer was lost.
            there = _read_object(path)
            if there.content != content:
                raise ConflictError(f"{path} has been replaced") from None
            return there.token
        return str(blob.generation)


@contextlib.contextmanager
def _calling(verb: str, path: str) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Give an object and the options of every request to it; turn what the client library raises into `SwapError`."""
    matched = _OBJECT.fullmatch(path)
    if matched is None:
        raise SwapError(f"cannot {verb} {path} (no such address); write gs://BUCKET/NAME")
    try:
        with reaching(verb, path):
            from google.cloud import storage

            with contextlib.closing(storage.Client()) as client:
                yield client.bucket(matched[1]).blob(matched[2]), {"retry": retry(), "timeout": _TIMEOUT_S}
    except StorageError as error:
        raise SwapError(str(error)) from error
