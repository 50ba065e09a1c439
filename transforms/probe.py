"""Whether a directory or a bucket can be used as a run uses it, and whether workers see the same one."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from pathlib import Path

from transforms.storage import SCHEME, StorageError, reaching, retry


def probe(directory: str) -> None:
    """Check that a file in a directory can be created, but not a second time, and read and deleted.

    What a run keeps apart from others by, its locks and commits, rests on the second refusal. Nothing is left there; a
    directory of this machine need not exist.

    Raises:
      StorageError: one of it does not work.
    """
    name = f"probe-{uuid.uuid4().hex}"
    if directory.startswith(SCHEME):
        _probe_store(f"{directory}/{name}")
    else:
        _probe_disk(Path(directory), name)


def _probe_store(path: str) -> None:
    with reaching("open", path):
        from google.api_core.exceptions import NotFound, PreconditionFailed
        from google.cloud import storage

        client = storage.Client()
    bucket, _, name = path.removeprefix(SCHEME).partition("/")
    with contextlib.closing(client):
        blob = client.bucket(bucket).blob(name)
        try:
            # Nobody else has this name: what is there was written by a try whose answer was lost.
            with reaching("write", path), contextlib.suppress(PreconditionFailed):
                blob.upload_from_string(b"1", if_generation_match=0, retry=retry())
            with reaching("write", path), contextlib.suppress(PreconditionFailed):
                blob.upload_from_string(b"2", if_generation_match=0)
                raise StorageError(
                    f"cannot rely on {path} (it ignores if_generation_match); name a bucket of Google Cloud"
                )
            with reaching("read", path):
                blob.download_as_bytes(retry=retry())
        except BaseException:
            with contextlib.suppress(Exception):  # what failed first is what counts
                blob.delete(retry=None)
            raise
        with reaching("delete", path), contextlib.suppress(NotFound):  # as above
            blob.delete(retry=retry())


def _probe_disk(directory: Path, name: str) -> None:
    there = _existing(directory)
    try:
        with (there / name).open("xb") as file:
            file.write(b"1")
        try:
            with contextlib.suppress(FileExistsError), (there / name).open("xb"):
                raise StorageError(f"cannot rely on {there} (it creates a file twice); name another directory")
            (there / name).read_bytes()
        finally:
            (there / name).unlink()
    except OSError as error:
        if isinstance(error, StorageError):
            raise
        raise StorageError(
            f"cannot write {directory} ({error.strerror}: {there}); make it writable, or name another"
        ) from None


def _existing(directory: Path) -> Path:
    """Return a directory, or where it is missing the nearest above it."""
    return next(place for place in (directory.absolute(), *directory.absolute().parents) if place.exists())


@contextlib.contextmanager
def marked(directory: str) -> Iterator[str]:
    """Leave an empty file in a directory of this machine, or above a missing one, as long as the block runs; yields it.

    Raises:
      OSError: it cannot be written.
    """
    mark = _existing(Path(directory)) / f"probe-{uuid.uuid4().hex}"
    mark.touch()
    try:
        yield str(mark)
    finally:
        mark.unlink(missing_ok=True)


def check_mark(mark: str) -> None:
    """Check on a worker that it sees what the client has `marked`. Raises `StorageError`."""
    if not Path(mark).exists():
        raise StorageError(
            f"cannot find {mark} on a worker, which was just written here; name a directory that all workers share, or gs://"
        )
