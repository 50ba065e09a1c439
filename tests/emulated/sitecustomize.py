"""Read by every Python that starts with this directory on its path: mends the client of an emulated bucket.

The emulator wants of each part of a batch an id that the client does not send and Google does not ask for.
"""

from __future__ import annotations

from typing import Any

from google.cloud.storage import batch

_made = batch.MIMEApplicationHTTP.__init__


def _numbered(self: Any, *arguments: Any) -> None:
    _made(self, *arguments)
    self["Content-ID"] = "<1>"


batch.MIMEApplicationHTTP.__init__ = _numbered
