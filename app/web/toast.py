"""What is told at the foot of the next page, or of the partial being answered, and how it is taken back."""

from collections.abc import Mapping
from typing import Any, Literal, cast

from flask import flash

Tone = Literal["success", "info", "warning", "danger"]


def say(text: str, tone: Tone = "success", undo: tuple[str, Mapping[str, Any]] | None = None) -> None:
    """Shown once. `undo`: the address to post to, and the fields to post there, to take back what was just done."""
    message = {"text": text, "undo": {"url": undo[0], "fields": dict(undo[1])}} if undo else text
    flash(cast(str, message), tone)
