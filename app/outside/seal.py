"""Secrets of others that we must be able to read again (a robot's key, a mailbox's password), kept sealed in SQL.

Fernet (AES-128-CBC with HMAC-SHA256, of the package `cryptography`) under a key derived from the service's own secret
key. Whoever has the database alone has nothing; a changed secret key makes what was sealed unreadable.
"""

from base64 import urlsafe_b64encode
from hashlib import blake2b

from cryptography.fernet import Fernet, InvalidToken


def seal(text: str, key: str) -> str:
    """Another text each time, letters and digits."""
    return _fernet(key).encrypt(text.encode()).decode("ascii")


def unseal(sealed: str, key: str) -> str | None:
    """None where it was sealed under another key, or is damaged."""
    try:
        return _fernet(key).decrypt(sealed.encode("ascii", "replace")).decode()
    except (InvalidToken, UnicodeDecodeError):
        return None


def _fernet(key: str) -> Fernet:
    return Fernet(urlsafe_b64encode(blake2b(key.encode(), digest_size=32, person=b"huozi.seal").digest()))
