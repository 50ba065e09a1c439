"""Object stores: what a `gs://` path needs, how long an outage is sat out, and what errors mean."""

from __future__ import annotations

import contextlib
import functools
import os
import re
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any, Final

SCHEME: Final = "gs://"
PATIENCE_S: Final = 150.0
"""How long our own calls to a store are tried again, so that an outage of two minutes is sat out."""
_FETCHED: Final = "_chunk_size"
_SLEEP_S: Final = 15.0
_TRACES: Final = "DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA"
_QUERY: Final = re.compile(r"\?[^\s:]+")
_EXTRA: Final = "install this package with the extra gcp (pip install '.[gcp]'), here and where workers run"
_LOG_IN: Final = "set GOOGLE_APPLICATION_CREDENTIALS to a key file, or run `gcloud auth application-default login`"


class StorageError(OSError):
    """An object store cannot be used. The message is one line that names the path, the reason and the remedy."""


def retry() -> Any:
    """Return how the client library tries a request again.

    Its default, which Beam's filesystem has, may sleep for a minute and gives up after two: that sits out one minute.
    """
    from google.cloud.storage.retry import DEFAULT_RETRY

    return DEFAULT_RETRY.with_delay(maximum=_SLEEP_S).with_timeout(PATIENCE_S)


class _Missing(Exception):
    """(what is missing, the remedy)."""


def missing() -> tuple[str, str] | None:
    """Return which library or credentials `gs://` lacks in this process, and the remedy; null where all is there.

    Without credentials Beam's filesystem waits for half a minute and then asks as nobody.
    """
    try:
        _prepare()
    except _Missing as lack:
        return lack.args[0], lack.args[1]
    return None


@functools.cache  # but for what is raised
def _prepare() -> None:
    # Otherwise each client has a thread that asks for the bucket's metadata again and again, for traces.
    os.environ.setdefault(_TRACES, "true")
    try:
        import google.auth
        import google.cloud.storage
        import google_auth_httplib2  # noqa: F401 - without it Beam's filesystem asks as nobody
        from apache_beam.io.filesystems import FileSystems  # here, since the client of models does without Beam
        from google.auth.exceptions import GoogleAuthError

        FileSystems.get_filesystem(SCHEME)
    except (ImportError, ValueError) as error:
        raise _Missing(_one_line(error), _EXTRA) from None
    try:
        google.auth.default()
    except GoogleAuthError as error:
        raise _Missing(_one_line(error), _LOG_IN) from None


@contextlib.contextmanager
def reaching(verb: str, path: str) -> Iterator[None]:
    """Let what a store raises within the block be a `StorageError`, or `FileNotFoundError` where nothing is to be read.

    On a path of this machine it does nothing.

    Args:
      verb: what is tried: read, write, list or delete.
    """
    if not path.startswith(SCHEME):
        yield
        return
    if (lack := missing()) is not None:
        raise StorageError(f"cannot {verb} {path} ({lack[0]}); {lack[1]}")
    try:
        yield
    except Exception as error:
        if (said := explained(error)) is None:
            raise
        if verb == "read" and _status(_cause(error)) == HTTPStatus.NOT_FOUND:
            raise FileNotFoundError(f"{path} is not there, or its bucket is not") from None
        raise StorageError(f"cannot {verb} {path} ({said[0]}); {said[1]}") from error


def fetch_at_least(stream: Any, size: int) -> None:
    """Let a file that Beam has opened fetch so many bytes at once; for one of this machine it means nothing.

    Beam's reader fetches 16 MB whatever is asked for, two hundred times what a row group of scratch has, and has no
    setting for it that a caller could reach.
    """
    if hasattr(stream, _FETCHED):
        setattr(stream, _FETCHED, size)


@contextlib.contextmanager
def finishing(stream: Any) -> Iterator[Any]:
    """End the upload of an object with the block, for good: one that fails or is broken off is not taken up again.

    The client library's writer tries once more when it is collected: the object could appear after its failure was
    told.
    """
    try:
        with stream:
            yield stream
    except BaseException:
        with contextlib.suppress(Exception):
            stream.terminate()
        stream.close = lambda: None
        raise


def explained(error: Exception) -> tuple[str, str] | None:
    """Return what a store's error says and the remedy; null for an error that is no store's."""
    from google.api_core.exceptions import GoogleAPIError
    from google.auth.exceptions import GoogleAuthError, TransportError
    from google.cloud.storage.exceptions import DataCorruption
    from requests.exceptions import RequestException

    cause = _cause(error)
    if isinstance(cause, GoogleAuthError) and not isinstance(cause, TransportError):
        return _one_line(cause), f"the credentials are not good, or no longer: {_LOG_IN}"
    if not isinstance(cause, (int, GoogleAPIError, GoogleAuthError, DataCorruption, RequestException)):
        return None
    return _one_line(cause), _REMEDIES.get(_status(cause), "check the name and the network, and try again")


_REMEDIES: Final[Mapping[int | None, str]] = {
    401: _LOG_IN,
    403: "let this account list, get, create and delete objects there, or name another bucket",
    404: "make the bucket, or name another",
}


def _cause(error: object) -> object:
    """Return what a wrapped error is about: Beam keeps them by path, a `RetryError` has the one of the last try."""
    from google.api_core.exceptions import RetryError, from_http_response
    from google.cloud.storage.exceptions import InvalidResponse

    while True:
        if details := getattr(error, "exception_details", None):  # of a BeamIOError
            error = next(iter(details.values()))
        elif isinstance(error, RetryError) and error.cause is not None:
            error = error.cause
        elif isinstance(error, InvalidResponse):
            return from_http_response(error.response)
        else:
            return error


def _status(error: object) -> int | None:
    """Return the status of the answer that an error is about; null for none. Beam knows a deletion's by it alone."""
    status = error if isinstance(error, int) else getattr(error, "code", None)
    return int(status) if isinstance(status, int) else None


def _one_line(error: object) -> str:
    if isinstance(error, int):
        return f"{error} {HTTPStatus(error).phrase}" if error in list(HTTPStatus) else str(error)
    said = " ".join(str(getattr(error, "message", None) or error).split())
    # The address of an upload under way lets anybody go on with it.
    return f"{type(error).__name__}: {_QUERY.sub('', said)}"[:300]
