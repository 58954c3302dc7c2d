"""How somebody gets in from where they stand: which app shows the page, on which phone, and what the member is.

Decides between a button, a long press, a picture to save and a link to copy. The table of kinds is `rules.kinds`'.
"""

from dataclasses import replace
from urllib.parse import quote

from app.rules.kinds import KINDS, openable
from app.rules.model import Member
from app.scan.answer import Scanner
from app.scan.page import Link, View
from app.scan.wording import act, app_name, home_app, say

IN_WECHAT = ("wechat", "wecom")
# What opens the app itself from a phone's browser; the person then taps its scanner.
_OPENERS = {"wechat": "weixin://", "qq": "mqq://", "dingtalk": "dingtalk://", "feishu": "feishu://"}


def presses(member: Member, scanner: Scanner) -> bool:
    """Is this phone inside the app that reads the code by a long press?"""
    return home_app(member.kind) is not None and _is_inside(member, scanner) and scanner.device != "desktop"


def _is_inside(member: Member, scanner: Scanner) -> bool:
    """A plain link is at home in any app."""
    home = home_app(member.kind)
    return home in (None, scanner.app) or (home == "wechat" and scanner.app in IN_WECHAT)


def way_in(view: View, member: Member, scanner: Scanner) -> View:
    """A button where the link opens by itself here; a long press inside the right app; the picture anywhere else."""
    language, kind = view.language, KINDS[member.kind]
    app, link = app_name(member.kind, language), openable(member.target_url or "")
    in_wechat = scanner.app in IN_WECHAT
    opens_here = kind.opens_by_itself and in_wechat if kind.needs_wechat else kind.opens_by_itself
    if link and kind.blocked_in_wechat and in_wechat:
        return replace(view, how=say(language, "copy"), copy=link)
    if link and opens_here and not (kind.needs_wechat and scanner.device == "desktop"):
        verb = "tap" if _is_inside(member, scanner) else "open"
        label = say(language, f"{verb}_{act(member.kind)}", app=app)
        return _opening(view, Link(link, label), scanner)
    if scanner.device == "desktop":
        return replace(view, how=say(language, "scan", app=app))
    if presses(member, scanner):
        return replace(view, how=say(language, "press", act=say(language, f"act_{act(member.kind)}")))
    return _saving(view, member, app, scanner)


def _opening(view: View, button: Link, scanner: Scanner) -> View:
    on_desk = scanner.device == "desktop"
    how = say(view.language, "open_desktop" if on_desk else "open")
    return replace(view, how=how, button=button, aside=say(view.language, "scan_link") if on_desk else "")


def _saving(view: View, member: Member, app: str, scanner: Scanner) -> View:
    kind = KINDS[member.kind]
    link = openable(member.target_url or "")
    href = _OPENERS.get(home_app(member.kind) or "")
    if kind.app_link and link:
        href = kind.app_link.format(link=quote(link, safe=""))
    return replace(
        view,
        how=say(view.language, "save", app=app),
        saves=True,
        save_hint=say(view.language, "save_ios") if scanner.device == "ios" else "",
        app_href=href,
        app_label=say(view.language, "open_app", app=app),
    )
