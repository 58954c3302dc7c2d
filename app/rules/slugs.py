"""Short names for live codes and for placements: which may be made, which may be looked up. Uniqueness is the
database's business."""

import re
from collections.abc import Callable

# Read from a poster and typed by hand: without 0/o, 1/i/l, 2/z, 5/s and 8/b one of each pair is gone. 28^6 = 482
# million, so guessing finds nothing and a clash on create is rare enough to be answered by another roll.
ALPHABET = "23456789acdefghjkmnpqrtuvwxy"
SLUG_LENGTH = 6

# Words that would read as part of the product or as a mistake in an address.
_RESERVED_WORDS = """
admin api app apps assets change choose create edit exact export health healthz help home huozi image
index login logout media metrics null page panel press preview qrcode readyz root static stuck trade undefined
unknown update user users wechat weixin
"""
RESERVED = frozenset(_RESERVED_WORDS.split())

_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{2,30})[a-z0-9]", re.ASCII)


def make_slug(roll: Callable[[int], int]) -> str:
    """Six characters; `roll(n)` gives a number from 0 up to, not including, n (`secrets.randbelow`)."""
    while True:
        slug = "".join(ALPHABET[roll(len(ALPHABET))] for _ in range(SLUG_LENGTH))
        if slug not in RESERVED:
            return slug


def is_slug(text: str) -> bool:
    """Could this name a live code? 4 to 32 of a-z, 0-9 and inner hyphens; anything else needs no look-up."""
    return _SLUG.fullmatch(text) is not None and text not in RESERVED


LONGEST_PLACEMENT = 32
_PLACEMENT = re.compile(rf"[A-Za-z0-9_\-\u4e00-\u9fff]{{1,{LONGEST_PLACEMENT}}}")


def is_placement(text: str) -> bool:
    """Could this be the key of a placement, what `?p=` says? Letters, digits, Chinese characters, - and _."""
    return _PLACEMENT.fullmatch(text) is not None
