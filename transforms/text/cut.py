"""Where a document that is too long for a model ends for it."""

from __future__ import annotations

import re
from typing import Final

BYTES_PER_TOKEN: Final = 3
"""Bytes of UTF-8 that count as one token. Without the model's own tokens this errs on the short side: of web documents
97.6 % have more bytes a token by OpenAI's o200k or cl100k (4.5 in the median), dense tables of figures down to 1.5."""

# A mark that ends a sentence with what closes behind it, or the end of a line.
_SENTENCE_END: Final = re.compile(r"[.!?…]['\"’”)\]]*(?=\s)|[。！？]|\n")  # noqa: RUF001


def cut(text: str, tokens: int) -> str:
    """Return a text of at most about `tokens` tokens: all of it, or its beginning up to the end of a sentence.

    Where no sentence ends in the second half of what is allowed, it ends with a word, and failing that anywhere.
    """
    most = tokens * BYTES_PER_TOKEN
    if len(text) * 4 <= most:
        return text
    data = text.encode("utf-8")
    if len(data) <= most:
        return text
    allowed = data[:most].decode("utf-8", "ignore")
    half = len(allowed) // 2
    ends = [match.end() for match in _SENTENCE_END.finditer(allowed, half)]
    end = ends[-1] if ends else max(allowed.rfind(" "), half)
    return allowed[:end].rstrip() or allowed
