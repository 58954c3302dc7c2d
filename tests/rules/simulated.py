"""What one visitor would be shown at a live code: what tests of routing and of the simulation ask."""

from typing import Any

from app.rules.model import Snapshot, Turns
from app.rules.regions import Place
from app.rules.simulation import Simulation
from app.rules.simulation import simulate as _simulate
from tests import make


def simulate(code: Snapshot, place: Place = Place.UNKNOWN, **more: Any) -> Simulation:
    """A first visitor, now, nobody having come before."""
    defaults: dict[str, Any] = {"choice_id": None, "counts": {}, "turns": lambda _: Turns(), "roll": 0.0}
    return _simulate(code, place=place, now=make.NOW, **(defaults | more))
