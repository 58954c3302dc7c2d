"""What the panel says about who is sent where: each finding of `coverage` in a sentence, with what would help."""

from collections.abc import Callable, Sequence

import flask_babel

from app.codes import wording
from app.codes.coverage import Finding
from app.codes.models import LiveCode
from app.rules import regions

gettext: Callable[..., str] = flask_babel.gettext
ngettext: Callable[..., str] = flask_babel.ngettext


def told(finding: Finding, live_code: LiveCode, language: str) -> str:
    """What is odd, and what would help."""
    places = _several(wording.region_names(finding.places, language))
    names = _several([card.name or wording.code_number(card.id) for card in finding.cards])
    match finding.kind:
        case "elsewhere" if live_code.region_policy == "strict":
            return gettext(
                "Whoever is in none of these places, or on mobile data that tells no place (up to three phones in ten),"
                " gets no code. Leave one code without a place, or mark a fallback."
            )
        case "elsewhere":
            return gettext(
                "Whoever is in none of these places, or on mobile data that tells no place (up to three phones in ten),"
                " gets any code at all. Leave one code without a place for them."
            )
        case "nobody":
            return gettext(
                "Nobody new gets in for %(places)s: %(names)s is full or closed.", places=places, names=names
            )
        case "overlap" if finding.more:
            return ngettext(
                "One more place lies inside another rule's.",
                "%(num)s more places lie inside other rules'.",
                finding.more,
            )
        case "overlap":
            outer = regions.name(finding.outer, language)
            return gettext(
                "%(places)s lies in %(outer)s: who is there gets %(names)s first, then the codes of %(outer)s.",
                places=places,
                outer=outer,
                names=names,
            )
        case "city" if live_code.asks_city:
            return gettext("City rules (%(places)s): scanners may correct their city on the page.", places=places)
        case "city":
            return gettext(
                "City rules (%(places)s): about one scan in five lands on another city. Name the province, or let"
                " scanners choose their city on the page.",
                places=places,
            )
        case "no_position":
            return gettext("“Nearest shop” cannot place %(names)s: without a position they come last.", names=names)
    return gettext("The position of %(names)s looks swapped: latitude comes first.", names=names)


def _several(names: Sequence[str]) -> str:
    shown = gettext(", ").join(names[:4])
    return shown if len(names) <= 4 else gettext("%(names)s and %(num)s more", names=shown, num=len(names) - 4)
