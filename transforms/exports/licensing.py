"""The licence of an export: what its sources state, as far as that is one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

OTHER: Final = "other"
UNKNOWN: Final = "unknown"
_LICENSES: Final = frozenset(
    "apache-2.0 mit cc0-1.0 cc-by-2.0 cc-by-3.0 cc-by-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc-by-nc-4.0 cc-by-nc-sa-4.0"
    " cc-by-nd-4.0 odc-by odbl gpl-3.0 bsd-3-clause".split()
)
"""Names that hubs know; any other licence is `other`."""


def license_of(licenses: Iterable[str | None]) -> str:
    """Return the one licence that all sources state, as hubs name it.

    Otherwise it is `OTHER`, or `UNKNOWN` where a source states none.
    """
    found = set(licenses)
    stated = {name.strip().lower() for name in found if name}
    if None in found or not stated:
        return UNKNOWN
    (name, *others) = stated
    return name if not others and name in _LICENSES else OTHER
