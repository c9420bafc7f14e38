"""OpenPGP for files to and from the printer: encrypted to the receiver, signed by the sender, streamed.

Keys lie in one configured folder, outside the repository, readable by the owner only:

    insurer_secret.pgp.asc   ours: signs what we send, opens what we get
    insurer.pgp.asc          its public part, for the printer
    printer.pgp.asc          the printer's public key
    insurer_ssh, .pub        our SFTP client key
    printer_host_key.pub     the printer's host key, pinned
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncssh
from pysequoia import Cert, Tsk, decrypt_file, encrypt_file

INSURER_SECRET = "insurer_secret.pgp.asc"  # noqa: S105 (a file name)
INSURER_PUBLIC = "insurer.pgp.asc"
PRINTER_PUBLIC = "printer.pgp.asc"
CLIENT_KEY = "insurer_ssh"


class SealError(RuntimeError):
    """A key is missing, or a file cannot be sealed or opened. Says which file and what to do."""


class SignatureError(SealError):
    """A file opens but is not signed by the other party: it is not used."""


@dataclass(frozen=True)
class Keys:
    """Our secret key and the other party's public key."""

    secret: Tsk
    other: Cert
    passphrase: str | None = None


def generate_keys(folder: Path) -> list[Path]:
    """Make the insurer's keys where they are missing (sandbox and tests); keys that exist are kept.

    Returns:
        The two public files for the printer: OpenPGP key and SFTP client key.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    if not (folder / INSURER_SECRET).exists():
        secret = Tsk.generate("Kakuninsho insurer <insurer@kakuninsho.invalid>")
        (folder / INSURER_PUBLIC).write_text(str(secret.extract_certificate()), encoding="ascii")
        _write_private(folder / INSURER_SECRET, str(secret).encode("ascii"))
    if not (folder / CLIENT_KEY).exists():
        key = asyncssh.generate_private_key("ssh-ed25519")
        (folder / f"{CLIENT_KEY}.pub").write_bytes(key.export_public_key())
        _write_private(folder / CLIENT_KEY, key.export_private_key())
    return [folder / INSURER_PUBLIC, folder / f"{CLIENT_KEY}.pub"]


def _write_private(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)


def load_keys(folder: Path, passphrase: str | None = None) -> Keys:
    """The insurer's secret key and the printer's public key from a folder.

    Raises:
        SealError: one is missing or cannot be read.
    """
    for name in (INSURER_SECRET, PRINTER_PUBLIC):
        if not (folder / name).is_file():
            raise SealError(f"key {name} is missing in the key folder: put it there, or make sandbox keys with make up")
    try:
        return Keys(
            Tsk.from_file(str(folder / INSURER_SECRET)), Cert.from_file(str(folder / PRINTER_PUBLIC)), passphrase
        )
    except RuntimeError as error:
        raise SealError("an OpenPGP key in the key folder cannot be read: replace it") from error


def seal(clear: Path, sealed: Path, keys: Keys) -> Path:
    """Sign and encrypt a file to the other party, streamed; the result appears under its name when it is complete.

    Two calls give different bytes: keep what was sealed.

    Raises:
        SealError: the key does not sign or encrypt (expired, revoked, wrong passphrase).
    """
    unfinished = sealed.with_name(f".{sealed.name}.part")
    try:
        encrypt_file(
            input=str(clear),
            output=str(unfinished),
            recipients=[keys.other],
            signer=keys.secret.signer(keys.passphrase),
            armor=False,
        )
        unfinished.chmod(0o600)
        return unfinished.rename(sealed)
    except (RuntimeError, OSError) as error:
        raise SealError(f"{clear.name} cannot be sealed: look at expiry and passphrase of the keys") from error
    finally:
        with contextlib.suppress(FileNotFoundError):
            unfinished.unlink()


def open_sealed(sealed: Path, clear: Path, keys: Keys, *, limit: int) -> Path:
    """Decrypt a file and verify that the other party signed it, streamed. No clear file is left when it raises.

    Args:
        sealed: the OpenPGP message.
        clear: the file to write.
        keys: our secret key, the other party's public key.
        limit: clear bytes at most; a small message can hold a very large file, and nothing more is written.

    Raises:
        SealError: it cannot be decrypted, or holds more than the limit.
        SignatureError: no valid signature of the other party.
    """
    unfinished = clear.with_name(f".{clear.name}.part")
    try:
        with _bounded(unfinished, limit) as path:
            opened = decrypt_file(
                input=str(sealed),
                output=path,
                decryptor=keys.secret.decryptor(keys.passphrase),
                store=lambda _key_ids: [keys.other],
            )
        if not any(signature.certificate == keys.other.fingerprint for signature in opened.valid_sigs):
            raise SignatureError(f"{sealed.name} has no valid signature of the other party: it is not used")
        return unfinished.rename(clear)
    except (RuntimeError, OSError) as error:
        if isinstance(error, SealError):
            raise
        # The library has one kind of error; its text tells a bad signature from a file that does not open.
        if "ignature" in str(error):
            raise SignatureError(f"{sealed.name} has no valid signature of the other party: it is not used") from None
        raise SealError(
            f"{sealed.name} cannot be opened: damaged, cut off, or sealed to another key. Ask for it again"
        ) from None
    finally:
        with contextlib.suppress(FileNotFoundError):
            unfinished.unlink()


@contextlib.contextmanager
def _bounded(target: Path, limit: int) -> Iterator[str]:
    """A path whose bytes arrive in a file, up to a limit; beyond it the writer gets an error.

    A process of its own copies: the library keeps Python's lock while it writes, so no thread could.

    Raises:
        SealError: more was written.
    """
    reading, writing = os.pipe()
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        copier = subprocess.Popen(["head", "-c", str(limit + 1)], stdin=reading, stdout=file)  # noqa: S603, S607
        os.close(reading)
        try:
            yield f"/dev/fd/{writing}"
        except (RuntimeError, OSError):
            os.close(writing)
            writing = -1
            copier.wait()
            if target.stat().st_size <= limit:
                raise
        finally:
            if writing >= 0:
                os.close(writing)
            copier.wait()
    if target.stat().st_size > limit:
        raise SealError(
            f"what was sealed holds more than {limit} bytes, the most that was promised: nothing of it is used. "
            "Ask the printer what it sent"
        )
