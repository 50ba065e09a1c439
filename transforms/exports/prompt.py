"""What the policy reads: the same for all trainers, since what they train is compared."""

from __future__ import annotations

from typing import Final

INSTRUCTION: Final = "Think it through, then give the final answer, and nothing else, inside \\boxed{}."
"""`rewards.extract` reads the last answer that is marked so."""


def prompt(question: str) -> str:
    """Return the user's message that asks a question."""
    return f"{question}\n\n{INSTRUCTION}"


def messages(question: str) -> list[dict[str, str]]:
    """Return a chat that asks a question; the trainer applies the policy's template."""
    return [{"role": "user", "content": prompt(question)}]
