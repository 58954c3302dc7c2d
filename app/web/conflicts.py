"""Two people change the same thing: which version a form was drawn from, and what the other one wrote meanwhile.

A form carries the version of what it shows; saving it over a newer one is answered with the form again (409), what was
typed still in it and theirs beside it. What a version is, and how its values read, each feature knows itself.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from flask import request

# What the field is called, mine, theirs.
Differences = Sequence[tuple[str, str, str]]

LONGEST = 18  # digits that every store's integers hold


def form_version() -> int | None:
    """The version the form was drawn from; None where it names none, such as one drawn by an earlier release."""
    typed = request.form.get("version", "")
    if not typed:
        return None
    return int(typed) if typed.isascii() and typed.isdigit() and len(typed) <= LONGEST else 0


def is_stale(version: int) -> bool:
    """Whether the form was drawn from another version than this one, which is stored now."""
    return form_version() not in (None, version)


def differences(
    labels: Mapping[str, Any], mine: Mapping[str, Any], theirs: Mapping[str, Any], words: Callable[[str, Any], str]
) -> list[tuple[str, str, str]]:
    """What of a form differs from what is stored by now. `words`: a field's name and value → what is read of it."""
    pairs = (
        (str(label), words(name, mine[name]), words(name, theirs[name]))
        for name, label in labels.items()
        if name in mine and name in theirs
    )
    return [(label, own or "–", other or "–") for label, own, other in pairs if own != other]
