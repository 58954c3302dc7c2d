"""WHO HOLDS WHICH SEAT: one Ledger protocol, and the engines that keep it."""

from app.ledger.protocol import (
    Answer,
    Assigned,
    Claim,
    CountKey,
    Held,
    InDoubt,
    KeptSeat,
    Ledger,
    LedgerDown,
    NoRoom,
    NotReady,
    Returning,
    Stale,
    StuckAnswer,
)

__all__ = [
    "Answer",
    "Assigned",
    "Claim",
    "CountKey",
    "Held",
    "InDoubt",
    "KeptSeat",
    "Ledger",
    "LedgerDown",
    "NoRoom",
    "NotReady",
    "Returning",
    "Stale",
    "StuckAnswer",
]
