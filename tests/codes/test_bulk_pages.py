"""Several live codes at once: paused, archived and taken back, put in folders, written out."""

import csv
import io
import re

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.accounts.models import User
from app.codes.models import LiveCode, LiveCodeShare
from app.db import writing
from app.db.audit import AuditEntry
from tests import make
from tests.codes.conftest import Api, Browser, fresh, told
from tests.codes.test_pages import names


def codes(session: Session, owner: User, *titles: str, **more: object) -> list[int]:
    with writing(session):
        return [make.live_code_row(session, owner, name=title, **more).id for title in titles]


def states(session: Session) -> dict[str, str]:
    return {row.name: row.state for row in fresh(session).scalars(sa.select(LiveCode))}


def undo_of(page: str) -> dict[str, str]:
    """The fields of the form that takes back what was just done."""
    form = page[page.index('action="/codes/bulk"', page.index('id="toasts"')) :].partition("</form>")[0]
    return dict(re.findall(r'name="(do|before|next)" value="([^"]*)"', form))


def test_ticked_codes_are_paused_and_one_undo_brings_each_back_as_it_was(
    panel: Browser, session: Session, owner: User
) -> None:
    one, two, three = codes(session, owner, "one", "two", "three")
    panel.post(f"/codes/{two}/state", state="paused")
    panel.get("/codes")
    page = panel.follow(panel.post("/codes/bulk", ids=[str(one), str(two), str(three)], do="archived", next="/codes"))
    assert states(session) == {"one": "archived", "two": "archived", "three": "archived"}
    assert "3 live codes are archived" in page
    panel.post("/codes/bulk", **undo_of(page))
    assert states(session) == {"one": "active", "two": "paused", "three": "active"}


def test_each_code_has_its_own_entry_in_the_audit_log(panel: Browser, session: Session, owner: User) -> None:
    ids = codes(session, owner, "one", "two")
    panel.post("/codes/bulk", ids=[str(one) for one in ids], do="archived")
    entries = session.scalars(sa.select(AuditEntry).where(AuditEntry.action == "live_code.archived"))
    assert sorted(entry.object_id or 0 for entry in entries) == ids


def test_codes_of_others_are_left_alone_and_counted(
    panel: Browser, session: Session, owner: User, other_panel: Browser
) -> None:
    (mine,) = codes(session, owner, "mine")
    (theirs,) = codes(session, session.get_one(User, other_panel.user.id), "theirs")
    with writing(session):
        session.add(LiveCodeShare(live_code_id=theirs, user_id=owner.id, level="view"))
    page = panel.follow(panel.post("/codes/bulk", ids=[str(mine), str(theirs), "999999"], do="paused", next="/codes"))
    assert states(session) == {"mine": "paused", "theirs": "active"}
    assert "1 live code is paused" in page and "2 live codes could not be changed" in page


def test_nothing_ticked_changes_nothing_and_says_so(panel: Browser, session: Session, owner: User) -> None:
    codes(session, owner, "one")
    assert "Tick some live codes first" in panel.follow(panel.post("/codes/bulk", do="archived"))
    assert states(session) == {"one": "active"}


def test_undo_that_somebody_made_up_reaches_only_their_own(
    panel: Browser, session: Session, other_panel: Browser
) -> None:
    (theirs,) = codes(session, session.get_one(User, other_panel.user.id), "theirs")
    panel.post("/codes/bulk", do="undo", before=f"archived:{theirs};nonsense:1;paused:x-{'9' * 40}")
    assert states(session) == {"theirs": "active"}


def test_codes_are_moved_to_a_new_folder_and_found_there(panel: Browser, session: Session, owner: User) -> None:
    one, two, _ = codes(session, owner, "one", "two", "three")
    page = panel.follow(
        panel.post("/codes/bulk", ids=[str(one), str(two)], do="move", new_folder=" Spring  2026 ", next="/codes")
    )
    assert "2 live codes are in “Spring 2026” now" in page and "Spring 2026 (2)" in page
    assert set(names(panel.get("/codes?folder=Spring+2026"))) == {"one", "two"}
    assert names(panel.get("/codes?folder=-")) == ["three"]
    panel.post("/codes/bulk", ids=str(one), do="move", into="")
    assert names(panel.get("/codes?folder=Spring+2026")) == ["two"]
    moved = session.scalars(sa.select(AuditEntry).where(AuditEntry.action == "live_code.moved"))
    assert len(list(moved)) == 3
    assert "Moved to a folder" in panel.get(f"/codes/{one}/history")


def test_folders_of_others_are_not_offered(panel: Browser, session: Session, owner: User, other_panel: Browser) -> None:
    codes(session, owner, "mine", folder="my secret folder")
    assert "my secret folder" in panel.get("/codes")
    assert "my secret folder" not in other_panel.get("/codes")


def test_program_reads_sets_and_filters_by_folder(api: Api) -> None:
    made = api.live_code(folder="spring")
    api.live_code(name="elsewhere")
    assert [row["id"] for row in told(api.get("/live-codes", folder="spring"))["items"]] == [made["id"]]
    assert told(api.patch(f"/live-codes/{made['id']}", folder=None))["folder"] is None


def table(answer: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(answer.decode("utf-8-sig"))))


def test_export_has_a_line_for_each_member_and_for_codes_without_any(
    panel: Browser, session: Session, owner: User
) -> None:
    full, empty = codes(session, owner, "full", "=HYPERLINK(1)")
    with writing(session):
        row = session.get_one(LiveCode, full)
        for label in ("first", "second"):
            make.member_row(session, row, label=label, capacity=10, headcount=3)
    answer = panel.client.get("/codes/export.csv")
    assert answer.content_type.startswith("text/csv") and answer.headers["Cache-Control"] == "no-store"
    lines = table(answer.data)
    assert [(line["name"], line["label"]) for line in lines] == [
        ("full", "first"), ("full", "second"), ("'=HYPERLINK(1)", ""),
    ]  # fmt: skip
    assert lines[0]["capacity"] == "10" and lines[0]["occupied"] == "3" and lines[0]["short_url"].endswith(row.slug)
    chosen = panel.follow(panel.post("/codes/bulk", ids=str(empty), do="export"))
    assert len(table(chosen.encode())) == 1


def test_export_follows_the_filters_and_shows_nobody_elses(
    panel: Browser, session: Session, owner: User, other_panel: Browser
) -> None:
    (mine,) = codes(session, owner, "spring fair", folder="spring")
    codes(session, owner, "autumn fair")
    assert [line["name"] for line in table(panel.client.get("/codes/export.csv?folder=spring").data)] == ["spring fair"]
    assert table(other_panel.client.get(f"/codes/export.csv?ids={mine}").data) == []


def test_viewers_tick_nothing(app: object, session: Session, owner: User) -> None:
    codes(session, owner, "one")
    with writing(session):
        viewer = make.user_row(session, role="viewer")
    panel = Browser(app, session, viewer)  # type: ignore[arg-type]
    page = panel.get("/codes")
    assert 'class="code-tick"' not in page and "export.csv" in page
    panel.post("/codes/bulk", 403, ids="1", do="archived")
