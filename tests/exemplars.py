"""The exemplars that are shipped, line by line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import prompts.loader

SHIPPED = Path(prompts.loader.__file__).parent

SLUGS = {
    "Math": "math",
    "Technology & Engineering": "technology-engineering",
    "Coding": "coding",
    "Social Science": "social-science",
    "Natural Science": "natural-science",
    "Travel & Lifestyle": "travel-lifestyle",
    "Commerce & Economics": "commerce-economics",
    "Medicine & Health": "medicine-health",
    "Education": "education",
    "Other": "other",
}


def exemplar_lines(slug: str) -> list[dict[str, Any]]:
    text = (SHIPPED / "exemplars" / f"{slug}.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.split("\n") if line]
