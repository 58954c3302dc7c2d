"""The choices of a grouped live code: what its page asks, in which order, with which tag and mode."""

from collections.abc import Mapping, Sequence
from typing import Any

from flask import abort, render_template, request, url_for
from flask_babel import gettext, lazy_gettext

from app.codes import choices, forms, members, panel_forms, wording
from app.codes.changes import STALE, Refused
from app.codes.code_pages import form_version
from app.codes.models import Choice
from app.codes.shell import Answer, asker, blueprint, changed, compared, desk, found, refuse, to
from app.db import db
from app.web.toast import say

LABELS: Mapping[str, Any] = {
    "title": lazy_gettext("What scanners read"),
    "description": lazy_gettext("A line below it"),
    "tag": lazy_gettext("Tag"),
    "mode": lazy_gettext("Who gets which code?"),
}


@blueprint.route("/codes/<int:live_code_id>/choices", methods=["GET", "POST"], endpoint="choices")
def list_choices(live_code_id: int) -> Answer:
    found(live_code_id)
    if request.method == "GET":
        return _page(live_code_id)
    values, errors = _typed(forms.ChoiceForm())
    if errors:
        return _page(live_code_id, editing="new", errors=errors), 422
    result = changed(lambda: choices.add_choice(db.session, asker(), live_code_id, values))
    if isinstance(result, Refused):
        return _page(live_code_id, editing="new", wrong=wording.refusal(result)), 422
    say(gettext("“%(title)s” is on the page. Now put codes behind it.", title=result.title))
    return to("codes.choices", live_code_id=live_code_id)


def _typed(schema: Any) -> tuple[dict[str, Any], dict[str, list[str]]]:
    return panel_forms.load(schema, panel_forms.read(schema, request.form, zone=desk().zone, more={}))


def _page(
    live_code_id: int,
    *,
    editing: int | str = "",
    errors: Mapping[str, Sequence[str]] | None = None,
    wrong: str = "",
    theirs: Sequence[tuple[str, str, str]] | None = None,
) -> str:
    sizes: dict[int, int] = {}
    for member in members.members_of(db.session, live_code_id):
        if member.choice_id is not None:
            sizes[member.choice_id] = sizes.get(member.choice_id, 0) + 1
    return render_template(
        "codes/choices.html",
        live_code=found(live_code_id),
        choices=choices.choices_of(db.session, live_code_id),
        sizes=sizes,
        editing=editing,
        typed=request.form,
        errors=errors or {},
        wrong=wrong or (gettext("Please look at the marked fields.") if errors else ""),
        theirs=theirs,
    )


def _found(choice_id: int) -> Choice:
    choice = choices.find_choice(db.session, asker(), choice_id)
    if choice is None:
        abort(404)
    return choice


@blueprint.post("/choices/<int:choice_id>")
def change_choice(choice_id: int) -> Answer:
    live_code_id = _found(choice_id).live_code_id
    values, errors = _typed(forms.ChoicePatch(partial=True))
    if errors:
        return _page(live_code_id, editing=choice_id, errors=errors), 422
    result = changed(lambda: choices.update_choice(db.session, asker(), choice_id, values, version=form_version()))
    if result == STALE:
        theirs = compared(LABELS, values, _found(choice_id))
        return _page(live_code_id, editing=choice_id, theirs=theirs), 409
    if isinstance(result, Refused):
        return _page(live_code_id, editing=choice_id, wrong=wording.refusal(result)), 422
    say(gettext("Saved. It counts from the next scan."))
    return to("codes.choices", anchor=f"choice-{choice_id}", live_code_id=live_code_id)


@blueprint.post("/choices/<int:choice_id>/move")
def move_choice(choice_id: int) -> Answer:
    """One place up or down."""
    live_code_id = _found(choice_id).live_code_id
    ids = [choice.id for choice in choices.choices_of(db.session, live_code_id)]
    by = request.form.get("by")
    if by in ("-1", "1"):
        here = ids.index(choice_id)
        ids.insert(min(max(here + int(by), 0), len(ids) - 1), ids.pop(here))
        changed(lambda: choices.reorder_choices(db.session, asker(), live_code_id, ids))
    return to("codes.choices", anchor=f"choice-{choice_id}", live_code_id=live_code_id)


@blueprint.post("/choices/<int:choice_id>/archive")
def archive_choice(choice_id: int) -> Answer:
    choice = _found(choice_id)
    title, live_code_id = choice.title, choice.live_code_id
    standing = [m for m in members.members_of(db.session, live_code_id) if m.choice_id == choice_id]
    states = ",".join(f"{member.id}:{member.state}" for member in standing)
    result = changed(lambda: choices.archive_choice(db.session, asker(), choice_id))
    if isinstance(result, Refused):
        refuse(result)
    else:
        undo = url_for("codes.restore_choice", choice_id=choice_id), {"states": states}
        say(gettext("“%(title)s” is archived, its codes with it.", title=title), undo=undo)
    return to("codes.choices", live_code_id=live_code_id)


@blueprint.post("/choices/<int:choice_id>/restore")
def restore_choice(choice_id: int) -> Answer:
    """Undoes the archiving: the choice is asked again, and the codes that went with it are as they were."""
    pairs = (pair.partition(":") for pair in request.form.get("states", "")[:4000].split(","))
    states = {int(key): state for key, _, state in pairs if key.isdecimal() and len(key) < 10}
    result = changed(lambda: choices.restore_choice(db.session, asker(), choice_id, states))
    if isinstance(result, Refused):
        refuse(result)
        return to("codes.index")
    say(gettext("“%(title)s” is back.", title=result.title))
    return to("codes.choices", live_code_id=result.live_code_id)
