"""What is told of a failure while a pipeline runs: Beam wraps it, so that its text is all there is."""

from __future__ import annotations

import errno
import os
import re
import traceback
from typing import Final

_OURS: Final = re.compile(
    r"\b(?:transforms|pipelines)\.[\w.]+\."
    r"(?:CacheError|StorageError|SwapError|CatalogError"
    r"|BenchmarkIndexError|VersionError|JobError|JournalError|ModelFileError|PreflightError|UsageError): (.*)"
)
"""An error whose message is one line with a remedy, as a traceback ends with it."""
_IMAGES: Final = re.compile(
    r"Submission environment: beam:version:sdk_base:(\S+)\. Runtime environment: \S+?base:(\S+)\."
)
"""What Beam says where a worker has another version of Beam or Python, before it looks at any of our steps."""


def told(error: BaseException) -> str | None:
    """Return the one line of an error of ours, or of Beam's on other versions; null for any other error."""
    text = "".join(traceback.format_exception_only(error))
    if ours := _OURS.findall(text):
        return str(ours[-1]).partition(" [while running ")[0].strip()  # which Beam adds
    if images := _IMAGES.search(text):
        return (
            f"workers have {images[2]} and this command {images[1]} (Beam's names for the versions of Python and Beam);"
            " build the workers' image from this version, or run the command with theirs"
        )
    return None


def remedied(error: BaseException, again: str) -> str | None:
    """Return one line for a failure that is the machine's and not ours, null for any other.

    Args:
      again: what the same command does when it is given once more.
    """
    if (line := told(error)) is not None:
        return f"{line}; the same command {again}"
    text = str(error)
    if os.strerror(errno.ENOSPC) in text:
        return f"the disk is full; make room and run the same command again, it {again}"
    for number in (errno.EACCES, errno.EROFS):
        if os.strerror(number) in text:
            line = next(line for line in reversed(text.splitlines()) if os.strerror(number) in line)
            return f"{line.strip()}; make it writable and run the same command again, it {again}"
    return None
