"""The Ed25519 key (RFC 8032) that signs tree heads: made once, kept under ``DATA_DIR/keys`` with mode 0600."""

from __future__ import annotations

import hashlib
import os
from functools import lru_cache
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from django.conf import settings


@lru_cache(maxsize=1)
def signing_key() -> Ed25519PrivateKey:
    path = Path(settings.DATA_DIR) / "keys" / "ledger-ed25519"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = Ed25519PrivateKey.generate().private_bytes_raw()
        temporary = path.with_suffix(f".{os.getpid()}")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(fresh)
        try:
            os.link(temporary, path)  # fails if another process was first; then its key counts
        except FileExistsError:
            pass
        finally:
            os.unlink(temporary)
    return Ed25519PrivateKey.from_private_bytes(path.read_bytes())


def key_id(key: Ed25519PublicKey) -> str:
    """The first 16 hex digits of SHA-256 over the raw public key."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()[:16]


def signature_fits(key: Ed25519PublicKey, signature: bytes, message: bytes) -> bool:
    try:
        key.verify(signature, message)
    except InvalidSignature:
        return False
    return True
