"""What an answer is called, and the line that keeps it: pure, and the same in a directory and in a bucket."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from transforms.llm.requests import Completion, Request, Settings

SUFFIX: Final = ".jsonl"
"""What the name of every segment ends in, and of nothing else that may lie beside them."""

# A line is {"crc":"........","key":"<64 hex digits>","valid":...}: JSON for those who look with other tools, and of a
# fixed beginning, so that a segment is indexed without parsing its bodies.
_HEAD: Final = b'{"crc":"'
_CRC: Final = slice(len(_HEAD), len(_HEAD) + 8)
_REST: Final = _CRC.stop
_KEY: Final = slice(_REST + len(b'","key":"'), _REST + len(b'","key":"') + 64)
_VALID: Final = slice(_KEY.stop, _KEY.stop + len(b'","valid":true'))


class CacheError(OSError):
    """The answers cannot be read or written. The message is one line that names the place and the remedy."""


def cannot(verb: str, place: str, reason: object, remedy: str) -> CacheError:
    """Return the error of a cache, all in one line."""
    said = " ".join(str(reason).split())[:300]
    return CacheError(f"cannot {verb} the cache of model answers {place!r} ({said}); {remedy}")


@dataclass(frozen=True, slots=True)
class Entry:
    """One answer as it came.

    Attributes:
      stage: the stage that asked.
      model: the model's name, as configured.
      prompt: the fingerprint of the prompt.
      completion: the text, how it ended, and what it cost.
      valid: whether a stage could use it. The others are kept to be looked at, and never replayed.
    """

    stage: str
    model: str
    prompt: str
    completion: Completion
    valid: bool


def request_key(request: Request, settings: Settings) -> str:
    """Return the name of a request's answer: 64 hexadecimal digits, a hash of all that the answer depends on.

    Where the model is served and with which key it is paid say nothing about the answer and are left out.
    """
    temperature = settings.temperature
    identity = {
        "model": settings.model,
        "messages": [dict(message) for message in request.messages],
        "temperature": None if temperature is None else float(temperature),  # 1 and 1.0 are one temperature
        "max_tokens": settings.max_tokens,
        "extra_body": settings.extra_body,
        "schema": request.schema,
        "sample": request.sample,
    }
    if settings.embedded:
        identity["engine"] = _embedded_version()  # its code is the model
    # ASCII escapes, so that a text with a lone surrogate has a name too.
    text = json.dumps(identity, sort_keys=True, separators=(",", ":"), allow_nan=False, default=_plain)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


@functools.cache
def _embedded_version() -> str:
    """Return a hash of the embedded engine's sources."""
    from transforms.llm import embedded

    digest = hashlib.sha256()
    for path in sorted(Path(embedded.__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a request holds {value!r}, which is not JSON; use strings, numbers, lists and mappings")


def encode(key: str, entry: Entry) -> bytes:
    """Return an answer's line, with its newline."""
    fields = {"stage": entry.stage, "model": entry.model, "prompt": entry.prompt}
    body = json.dumps({**fields, "completion": dataclasses.asdict(entry.completion)}, separators=(",", ":"))
    valid = "true" if entry.valid else "false"
    rest = f'","key":"{key}","valid":{valid},{body[1:]}'.encode("ascii")
    return _HEAD + f"{zlib.crc32(rest):08x}".encode("ascii") + rest + b"\n"


def is_whole(line: bytes) -> bool:
    """Return whether a line has its end; the last one of a segment may lack it."""
    return line.endswith(b"\n")


def is_intact(line: bytes) -> bool:
    """Return whether a line is one that `encode` made."""
    return (
        is_whole(line)
        and line.startswith(_HEAD)
        and line[_CRC] == f"{zlib.crc32(memoryview(line)[_REST:-1]):08x}".encode("ascii")
    )


def is_valid(line: bytes) -> bool:
    """Return whether an intact line holds an answer that may be replayed."""
    return line[_VALID].endswith(b"true")


def key_of(line: bytes) -> str:
    """Return the key of an intact line."""
    return line[_KEY].decode("ascii")


def decode(line: bytes) -> tuple[str, Entry]:
    """Return the key and the answer of an intact line."""
    fields: dict[str, Any] = json.loads(line)
    completion = Completion(**fields["completion"])
    return fields["key"], Entry(fields["stage"], fields["model"], fields["prompt"], completion, fields["valid"])


def split_lines(chunks: Iterable[bytes], offset: int = 0) -> Iterator[tuple[int, bytes]]:
    """Yield (offset, line) over consecutive bytes of a segment; the last line may lack its newline."""
    tail = b""
    for chunk in chunks:
        *lines, tail = (tail + chunk).split(b"\n")
        for line in lines:
            yield offset, line + b"\n"
            offset += len(line) + 1
    if tail:
        yield offset, tail
