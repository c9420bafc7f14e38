"""Opening what the insurer sealed, and sealing the printer's answers (OpenPGP, encrypted and signed)."""

from __future__ import annotations

from pathlib import Path

from pysequoia import Cert, decrypt_file, encrypt_file

from kakuninsho.sandbox.root import Keys


class SealError(Exception):
    """The file cannot be opened with the printer's key: damaged, cut off, or sealed for somebody else."""


class SignatureError(Exception):
    """The file opens, but carries no signature of the insurer."""


def open_sealed(sealed: Path, clear: Path, keys: Keys) -> None:
    """Decrypt a file and check that the insurer signed it. Leaves no clear file behind when it raises.

    Raises:
        SealError: it cannot be decrypted.
        SignatureError: it is unsigned or signed by another key.
    """

    def senders(_: list[str]) -> list[Cert]:
        return [keys.insurer]

    try:
        decrypted = decrypt_file(
            input=str(sealed), output=str(clear), decryptor=keys.printer.decryptor(), store=senders
        )
    except (RuntimeError, OSError) as error:
        clear.unlink(missing_ok=True)
        # The library has one kind of error; only its first line tells the two cases apart.
        if str(error).startswith("Signature verification failed"):
            raise SignatureError(sealed.name) from None
        raise SealError(sealed.name) from None
    if not decrypted.valid_sigs:
        clear.unlink(missing_ok=True)
        raise SignatureError(sealed.name)


def seal(clear: Path, sealed: Path, keys: Keys, *, signed_by: str = "printer") -> None:
    """Encrypt a file to the insurer. `signed_by`: printer, stranger (another key) or nobody."""
    signer = {"printer": keys.printer.signer, "stranger": keys.stranger.signer}.get(signed_by)
    encrypt_file(
        input=str(clear),
        output=str(sealed),
        recipients=[keys.insurer],
        signer=signer() if signer else None,
        armor=False,
    )
