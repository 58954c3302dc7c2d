"""`/hosts`: the addresses codes are printed with. For administrators."""

from flask import render_template, request
from flask_babel import gettext

from app.accounts.guard import role_required
from app.codes import hosts, wording
from app.codes.changes import Refused
from app.codes.shell import Answer, asker, blueprint, changed, desk, refuse, to
from app.db import db
from app.settings import is_test_url, origin_of
from app.web.toast import say

LONGEST = 255


@blueprint.get("/hosts")
@role_required("admin")
def host_list() -> Answer:
    return _page()


def _page(typed: str = "", wrong: str = "") -> str:
    own, counted = desk().public_url, hosts.codes_under(db.session)
    rows = hosts.hosts_of(db.session)
    return render_template(
        "codes/hosts.html",
        own=own,
        own_codes=counted.get(None, 0) + counted.get(own, 0),
        own_is_default=not any(host.is_default for host in rows),
        rows=[(host, counted.get(host.origin, 0)) for host in rows],
        is_test_url=is_test_url,
        typed=typed,
        wrong=wrong,
    )


@blueprint.post("/hosts")
@role_required("admin")
def add_host() -> Answer:
    typed = request.form.get("origin", "").strip()[: LONGEST + 1]
    origin = origin_of(typed if "://" in typed else f"https://{typed}")
    if origin is None or len(origin) > LONGEST:
        return _page(typed, gettext("An address such as https://go.example.com, without a path.")), 422
    if is_test_url(origin) and not is_test_url(desk().public_url):
        return _page(typed, gettext("Only an https address that everybody can open: posters will say it.")), 422
    result = changed(lambda: hosts.add_host(db.session, asker(), origin, desk().public_url))
    if isinstance(result, Refused):
        return _page(typed, wording.refusal(result)), 422
    say(gettext("%(host)s is there. Scans are answered under it as soon as its name leads here.", host=origin))
    return to("codes.host_list")


@blueprint.post("/hosts/default")
@role_required("admin")
def default_host() -> Answer:
    typed = request.form.get("host_id", "")
    host_id = int(typed) if typed.isdecimal() and len(typed) < 10 else None
    result = changed(lambda: hosts.make_default(db.session, asker(), host_id, desk().own_host))
    if isinstance(result, Refused):
        refuse(result)
    else:
        origin = result.origin if result is not None else desk().public_url
        say(gettext("New live codes are printed with %(host)s; those there are keep theirs.", host=origin))
    return to("codes.host_list")


@blueprint.post("/hosts/<int:host_id>/remove")
@role_required("admin")
def remove_host(host_id: int) -> Answer:
    result = changed(lambda: hosts.remove_host(db.session, asker(), host_id))
    if isinstance(result, Refused):
        refuse(result)
    else:
        say(gettext("The address is taken off the list."))
    return to("codes.host_list")
