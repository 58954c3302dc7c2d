"""One way to write: a short transaction that owns the lock from its first statement to its commit."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.orm import Session


@contextmanager
def writing(session: Session) -> Iterator[Session]:
    """Runs the block in one write transaction of `session`; commits at its end, rolls back when it raises.

    On SQLite the transaction is BEGIN IMMEDIATE. What was read before in this session is given up first, so decide
    inside the block, and do slow work (decoding a picture, hashing a password) outside it.
    """
    session.rollback()
    try:
        session.connection(execution_options={"immediate": True})
        yield session
        session.commit()
    except BaseException:
        session.rollback()
        raise
