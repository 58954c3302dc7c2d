"""Passwords and random tokens: how they are made, judged, hashed and compared.

Passwords are slow to guess (argon2id); tokens are 256 random bits, so a plain digest is enough to store them. Leaves
to `store` where they are kept.
"""

import hashlib
import hmac
import secrets
import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

# OWASP's first choice for argon2id is 46 MiB and one pass; we take two. 73 ms on two cores of 2024, and with a throttle
# in front eight log-ins at once stay under 400 MiB.
HASHER = PasswordHasher(time_cost=2, memory_cost=46 * 1024, parallelism=1)

SHORTEST_PASSWORD = 10
LONGEST_PASSWORD = 256
TOKEN_START = "hz_"
PREFIX_CHARACTERS = 9
# Long enough for our rule and yet tried first by everybody who guesses.
_WELL_KNOWN = """
1234567890 0123456789 12345678910 0987654321 1234567890a password12 password123 password1234 passw0rd123 qwertyuiop
qwerty12345 1q2w3e4r5t 1qaz2wsx3edc woaini1314 woaini5201314 iloveyou12 huozi12345 huozihuozi changeme123 admin12345
administrator adminadmin letmein123 welcome123 abc1234567 abcd123456 a123456789 aa123456789 q123456789 5201314520
"""
WELL_KNOWN = frozenset(_WELL_KNOWN.split())


def password_problem(password: str, email: str = "") -> str | None:
    """Why this password will not do: "too_short", "too_long", "too_simple", or None when it will."""
    password = _normal(password)
    if len(password) < SHORTEST_PASSWORD:
        return "too_short"
    if len(password) > LONGEST_PASSWORD:
        return "too_long"
    lowered = password.lower()
    if len(set(lowered)) < 5 or lowered in WELL_KNOWN or (email and lowered in (email.lower(), email.split("@")[0])):
        return "too_simple"
    return None


def hash_password(password: str) -> str:
    return HASHER.hash(_bytes(password))


def matches(password_hash: str | None, password: str) -> bool:
    """Is this the password? None (nobody by that name) costs the same time and is never it."""
    try:
        HASHER.verify(password_hash or _NOBODY, _bytes(password[: LONGEST_PASSWORD * 4]))
    except (VerificationError, InvalidHashError):
        return False
    return password_hash is not None


def is_outdated(password_hash: str) -> bool:
    """Was it hashed with weaker parameters than today's?"""
    return HASHER.check_needs_rehash(password_hash)


def random_password() -> str:
    """Sixteen letters and digits without look-alikes in groups of four, to be read off a terminal."""
    letters = "abcdefghjkmnpqrstuvwxyz23456789"
    return "-".join("".join(secrets.choice(letters) for _ in range(4)) for _ in range(4))


def new_token(start: str = "") -> str:
    return start + secrets.token_urlsafe(32)


def digest(token: str) -> str:
    """What is stored of a token; 64 hexadecimal characters."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def keyed_digest(key: str, *parts: str) -> str:
    """A digest of something guessable (an e-mail, a network) that is worth nothing without the installation's key."""
    text = "\0".join(parts).encode("utf-8", "surrogatepass")
    return hmac.new(key.encode(), text, hashlib.sha256).hexdigest()


def _normal(password: str) -> str:
    # Two keyboards may send one character in two ways.
    return unicodedata.normalize("NFC", password)


def _bytes(password: str) -> bytes:
    return _normal(password).encode("utf-8", "replace")


# A hash nobody has the password of, with today's parameters, so that checking it takes as long as any other.
_NOBODY = (
    f"$argon2id$v=19$m={HASHER.memory_cost},t={HASHER.time_cost},p={HASHER.parallelism}"
    "$aHVvemlub2JvZHlodW96aQ$bm9ib2R5bm9ib2R5bm9ib2R5bm9ib2R5bm9ib2R5bm8"
)
