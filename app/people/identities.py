"""What other programs call a visitor: openids, WeCom's external_userids, phone numbers.

Decides how each is written so that the same one is found again; of a phone number nothing but a keyed digest is kept.
"""

import re
from collections.abc import Callable
from hashlib import blake2b

OPENID, EXTERNAL_USERID, PHONE = "openid", "external_userid", "phone"
KINDS = (OPENID, EXTERNAL_USERID, PHONE)
KEY_CHARACTERS = 128

Digest = Callable[[str], str]
_WORD = re.compile(r"[\w.@:+/=-]{4,128}", re.ASCII)
_NO_DIGIT = re.compile(r"[^\d+]")


def phone_digest(secret: bytes) -> Digest:
    """Two spellings of one number give one digest; without the secret nobody can try numbers."""

    def digest(text: str) -> str:
        return blake2b(_phone(text).encode(), key=secret[:64], digest_size=16, person=b"huozi.phone").hexdigest()

    return digest


def _phone(text: str) -> str:
    """Digits with the country: a Chinese mobile number needs none written before it."""
    number = _NO_DIGIT.sub("", text)
    number = f"+{number[2:]}" if number.startswith("00") else number
    return f"+86{number}" if len(number) == 11 and number.startswith("1") else number


def key_of(kind: str, text: str, digest: Digest) -> str | None:
    """How it is kept; None for what cannot be one."""
    text = text.strip()
    if kind == PHONE:
        return digest(text) if 7 <= sum(mark.isdigit() for mark in text) <= 15 else None
    return text if kind in KINDS and _WORD.fullmatch(text) else None
