"""WHO HOLDS WHICH SEAT: one Ledger protocol, and the engines that keep it."""

from app.ledger.protocol import (
    Answer,
    Assigned,
    Claim,
    Count,
    CountKey,
    Held,
    KeptSeat,
    Ledger,
    LedgerDown,
    NoRoom,
    Returning,
    Stale,
    StuckAnswer,
    Turns,
)

__all__ = [
    "Answer",
    "Assigned",
    "Claim",
    "Count",
    "CountKey",
    "Held",
    "KeptSeat",
    "Ledger",
    "LedgerDown",
    "NoRoom",
    "Returning",
    "Stale",
    "StuckAnswer",
    "Turns",
]
