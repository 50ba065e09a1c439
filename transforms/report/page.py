"""The file of a report: our own markup, style and script, and the data as text that no browser takes for either.

Data is JSON in script elements of another type than JavaScript, every `<` escaped; the script sets it as text and never
as markup. The page's policy admits the one script and the one style by their hashes, and no connection at all.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any, Final

_ASSETS: Final = Path(__file__).parent / "assets"
_SCRIPTS: Final = ("dom.js", "charts.js", "figures.js", "map.js", "browse.js", "main.js")
_CHUNK: Final = 500
"""Rows that are unpacked at once, at most."""
ROW_BYTES: Final = 64 << 10
"""Of a row as JSON; what is longer is not in the page, where it would take the room of many."""
MAX_BYTES: Final = 32 << 20
"""Of all rows together, as they stand in the file."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows to look at, and how many there are of which they are a sample."""

    total: int
    sample: Sequence[dict[str, Any]]


def page(title: str, data: Mapping[str, Any], rows: Mapping[str, Rows]) -> str:
    """Return the HTML of a report.

    Args:
      data: figures of the runs, as `transforms.report.build` makes them.
      rows: to look at, by "kept" and "rejected"; what is beyond `ROW_BYTES` or `MAX_BYTES` is left out, which the page
        says.
    """
    blocks, shown = [], {}
    for name, some in rows.items():
        chunks = _packed(some.sample, MAX_BYTES // len(rows))
        packed = sum(n for n, _ in chunks)
        shown[name] = {
            "total": some.total,
            "shown": packed,
            "too_large": len(some.sample) - packed,
            "chunks": len(chunks),
        }
        blocks += [
            f'<script type="text/plain" id="{name}-{number}">{text}</script>' for number, (_, text) in enumerate(chunks)
        ]
    style = (_ASSETS / "report.css").read_text(encoding="utf-8")
    script = "\n".join((_ASSETS / name).read_text(encoding="utf-8") for name in _SCRIPTS)
    return Template((_ASSETS / "report.html").read_text(encoding="utf-8")).substitute(
        title=html.escape(title),
        style=style,
        style_hash=_hash(style),
        script=script,
        script_hash=_hash(script),
        data=_json({**data, "title": title, "rows": shown}),
        rows="\n".join(blocks),
    )


def _packed(rows: Sequence[dict[str, Any]], limit: int) -> list[tuple[int, str]]:
    """Return (number, text) of chunks of rows: JSON, deflated, in base64; `limit` characters at most.

    A chunk that does not fit is halved, until not one row does.
    """
    chunks: list[tuple[int, str]] = []
    start, size = 0, _CHUNK
    while size and (some := rows[start : start + size]):
        lines = [json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode("utf-8") for row in some]
        lines = [line for line in lines if len(line) <= ROW_BYTES]
        text = base64.b64encode(zlib.compress(b"[" + b",".join(lines) + b"]", 6)).decode("ascii")
        if len(text) > limit:
            size = len(some) // 2
            continue
        start += len(some)
        if lines:
            limit -= len(text)
            chunks.append((len(lines), text))
    return chunks


def _json(value: Any) -> str:
    """Return JSON that ends no script element, whatever it holds."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
