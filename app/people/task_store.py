"""Tasks as their owners see them: begun, listed, dropped. Nothing here commits."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.db.audit import Actor, record
from app.people.models import Task
from app.people.tasks import FILES, MOST_WAITING

LISTED = 50


def begin(
    session: Session,
    actor: Actor,
    user_id: int,
    sees_id: int | None,
    kind: str,
    query: Mapping[str, str],
    language: str,
    now: datetime,
    *,
    header: Sequence[str] = (),
    tag_id: int | None = None,
) -> Task | None:
    """A task that waits for its runner; None where this user has too many waiting."""
    waiting = sa.select(sa.func.count()).where(Task.user_id == user_id, Task.state.in_(("waiting", "running")))
    if (session.scalar(waiting) or 0) >= MOST_WAITING:
        return None
    task = Task(
        user_id=user_id,
        sees_id=sees_id,
        kind=kind,
        filter={"query": dict(query), "header": list(header)},
        language=language,
        tag_id=tag_id,
        state="waiting",
        attempt=0,
        done_rows=0,
        made_at=now,
    )
    session.add(task)
    session.flush()
    action = "visitors.exported" if kind in FILES else "visitors.tagged" if kind == "tag" else "visitors.untagged"
    facts: dict[str, Any] = {"kind": kind, "filter": dict(query), "tag_id": tag_id}
    record(session, actor, action, "visitor_task", task.id, after=facts)
    return task


def drop(session: Session, actor: Actor, task: Task) -> None:
    """Whoever runs it finds it gone and stops; its files are the caller's to delete, before this is committed."""
    record(session, actor, "visitor_task.deleted", "visitor_task", task.id, before={"kind": task.kind})
    session.delete(task)
    session.flush()


def list_tasks(session: Session, user_id: int) -> list[Task]:
    """This user's, the newest first."""
    query = sa.select(Task).where(Task.user_id == user_id).order_by(Task.id.desc()).limit(LISTED)
    return list(session.scalars(query))


def find_task(session: Session, user_id: int, task_id: int) -> Task | None:
    return session.scalar(sa.select(Task).where(Task.id == task_id, Task.user_id == user_id))
