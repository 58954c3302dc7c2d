"""Live codes with pictures that a phone can really read."""

import io
from typing import Any

import qrcode
import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from app.codes import changes
from app.codes.models import LiveCode, MemberVersion
from app.db.session import writing
from app.ledger import Ledger
from app.outside.files import FileStore
from tests import make
from tests.ledger.world import World


class PosterWorld(World):
    def __init__(self, engine: Engine, ledger: Ledger, store: FileStore) -> None:
        super().__init__(engine, ledger)
        self.store = store

    def member(self, code: LiveCode, **more: Any) -> int:
        more.setdefault("target", make.group_url())
        identity = super().member(code, **more)
        self._draw(code, identity, more["target"])
        return identity

    def swap(self, member_id: int, *, new_group: bool = False, **values: Any) -> None:
        """The next version, with its own picture."""
        super().swap(member_id, new_group=new_group, **values)
        with Session(self.engine) as session:
            newest = sa.select(MemberVersion).where(MemberVersion.member_id == member_id)
            row = session.scalars(newest.order_by(MemberVersion.number.desc())).first()
            assert row is not None
            code = session.get(LiveCode, row.member.live_code_id)
            assert code is not None
            target = row.target
        self._draw(code, member_id, target)

    def _draw(self, code: LiveCode, member_id: int, target: str) -> None:
        picture = io.BytesIO()
        drawn = qrcode.QRCode(border=4, box_size=10)
        drawn.add_data(target)
        drawn.make_image().save(picture)
        name = self.store.put(picture.getvalue(), "png")
        with Session(self.engine) as session, writing(session):
            rows = sa.update(MemberVersion).where(MemberVersion.member_id == member_id, MemberVersion.target == target)
            session.execute(rows.values(image=name))
            changes.bump(session, code.id)
