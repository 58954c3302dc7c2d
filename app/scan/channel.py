"""Where a link that is told so sends its word: the placement somebody came by, else the group they chose.

A member of any other kind is handed back as it is. The picture of a code is the member's own and carries nothing.
"""

from dataclasses import replace

from app.rules.kinds import KINDS, with_channel
from app.rules.model import Member
from app.scan.answer import Answer, Scanner


def channel_of(answer: Answer, scanner: Scanner) -> str:
    """ "" where the member's kind takes none, or nothing is known."""
    member, choice = answer.decision.member, answer.decision.choice
    if member is None or KINDS[member.kind].channel is None:
        return ""
    return scanner.placement or ((choice.tag or choice.title) if choice is not None else "")


def told(member: Member, channel: str) -> Member:
    """The member, its link telling the channel."""
    if not channel or not member.target_url:
        return member
    return replace(member, target_url=with_channel(member.target_url, KINDS[member.kind], channel))
