"""How ids are written for the scripts."""

import secrets

from app.ledger import packing


def test_ids_of_ours_are_kept_as_sixteen_bytes() -> None:
    name = secrets.token_urlsafe(16)
    assert len(packing.visitor_field(name)) == 16
    assert packing.visitor_of(packing.visitor_field(name)) == name
