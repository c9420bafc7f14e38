"""Signatures of facts (Ed25519): who wrote the chain, provable with public keys alone (rules: approvals and evidence).

    <keys>/facts_secret.pem            ours, readable by the owner only
    <keys>/facts_public/<key id>.pem   every public key that ever signed; a rotated key stays here

The key id is the first 16 hexadecimal digits of the SHA-256 of the public key's raw bytes.
"""

from __future__ import annotations

import base64
import hashlib
import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

SECRET = "facts_secret.pem"  # noqa: S105 (a file name)
PUBLIC = "facts_public"
KEY_ID_DIGITS = 16


class SigningKeyError(RuntimeError):
    """A key that facts are signed with is missing or no such key. Says which file and what to do."""


@dataclass(frozen=True)
class Signature:
    """A signature of some bytes, and by which key."""

    key_id: str
    value: str  # base64

    def __str__(self) -> str:
        """One line, as it lies beside a fact."""
        return f"{self.key_id} {self.value}"

    @classmethod
    def read(cls, text: str) -> Signature:
        """The opposite of `str`."""
        key_id, _, value = text.strip().partition(" ")
        return cls(key_id, value)


@dataclass(frozen=True)
class Signer:
    """The secret key that signs now."""

    key: Ed25519PrivateKey

    @property
    def key_id(self) -> str:
        """Id of its public part."""
        return key_id_of(self.key.public_key())

    def sign(self, content: bytes) -> Signature:
        """The signature of some bytes; the same bytes give the same signature."""
        return Signature(self.key_id, base64.b64encode(self.key.sign(content)).decode())


def key_id_of(key: Ed25519PublicKey) -> str:
    """The id of a public key."""
    raw = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    return hashlib.sha256(raw).hexdigest()[:KEY_ID_DIGITS]


def generate_signing_key(folder: Path) -> str:
    """Make the key where there is none; one that is there is kept. Returns its id."""
    secret = folder / SECRET
    if not secret.exists():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        key = Ed25519PrivateKey.generate()
        public = folder / PUBLIC / f"{key_id_of(key.public_key())}.pem"
        public.parent.mkdir(mode=0o700, exist_ok=True)
        public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        with os.fdopen(os.open(secret, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(pem)
    return load_signer(folder).key_id


def load_signer(folder: Path) -> Signer:
    """The key that signs now.

    Raises:
        SigningKeyError: it is missing, or no Ed25519 key.
    """
    path = folder / SECRET
    try:
        changed = path.stat().st_mtime_ns
    except FileNotFoundError:
        raise SigningKeyError(
            f"the key that facts are signed with is missing: {path.name} in the key folder. Put it back from where "
            "the keys are kept; without it nothing can be landed"
        ) from None
    return _read_signer(path, changed)


@lru_cache(maxsize=16)
def _read_signer(path: Path, _changed: int) -> Signer:
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except ValueError:
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise SigningKeyError(f"{path.name} in the key folder is no Ed25519 key: put the right one back")
    return Signer(key)


def public_keys(folder: Path) -> dict[str, Ed25519PublicKey]:
    """Every public key of a folder, by its id.

    Raises:
        SigningKeyError: a file that is no such key, or has another's name.
    """
    found: dict[str, Ed25519PublicKey] = {}
    for path in sorted((folder / PUBLIC).glob("*.pem")):
        try:
            key = load_pem_public_key(path.read_bytes())
        except ValueError:
            key = None
        if not isinstance(key, Ed25519PublicKey) or key_id_of(key) != path.stem:
            raise SigningKeyError(f"{PUBLIC}/{path.name} in the key folder is not the public key that its name says")
        found[path.stem] = key
    return found


def is_signed(content: bytes, signature: Signature, keys: dict[str, Ed25519PublicKey]) -> bool:
    """Whether a known key has signed exactly these bytes."""
    key = keys.get(signature.key_id)
    if key is None:
        return False
    try:
        key.verify(base64.b64decode(signature.value), content)
    except (InvalidSignature, ValueError):
        return False
    return True
