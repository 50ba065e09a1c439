"""When an answer is right. A trainer imports this room alone, so nothing here may import Beam or another room."""

from __future__ import annotations

from rewards.ladder import Verdict, score

__all__ = ["Verdict", "score"]
