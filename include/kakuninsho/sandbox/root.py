"""The folders and keys below the sandbox's root. Nothing outside them is read or written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import asyncssh
from pysequoia import Cert, Tsk

from kakuninsho.sandbox.errors import SetUpError


@dataclass(frozen=True)
class Root:
    """Where things lie. `path` is what `--root` gives."""

    path: Path

    @property
    def sftp(self) -> Path:
        """What a client of the SFTP server sees as `/`."""
        return self.path / "sftp"

    @property
    def inbox(self) -> Path:
        """Files of the insurer arrive here."""
        return self.sftp / "to_printer"

    @property
    def outbox(self) -> Path:
        """The printer's answers lie here until the insurer takes them."""
        return self.sftp / "from_printer"

    @property
    def keys(self) -> Path:
        """Key pairs of the printer, and public keys of the insurer."""
        return self.path / "keys"

    @property
    def state(self) -> Path:
        """What the sandbox remembers, and the sealed answers as they were sent."""
        return self.path / "state"

    @property
    def core(self) -> Path:
        """The core system: `backstage/` is the future, `register/` and `feeds/` are what has happened."""
        return self.path / "core"

    @property
    def socket(self) -> Path:
        """The control channel."""
        return self.path / "control.sock"

    def make_folders(self) -> None:
        """Make every folder, readable by the owner only."""
        for folder in (self.path, self.sftp, self.inbox, self.outbox, self.keys, self.state, self.core):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for name in ("backstage", "backstage/feeds", "register", "feeds"):
            (self.core / name).mkdir(exist_ok=True, mode=0o700)


HOST_KEY = "host_key"
HOST_KEY_PUBLIC = "host_key.pub"
PRINTER_SECRET = "printer_secret.pgp.asc"  # noqa: S105 (a file's name)
PRINTER_PUBLIC = "printer.pgp.asc"
STRANGER_SECRET = "stranger_secret.pgp.asc"  # noqa: S105 (a file's name)
OTHER_HOST_KEY = "changed_host_key"
INSURER_PGP = "insurer.pgp.asc"
INSURER_SSH = "insurer_ssh.pub"


def _write_private(path: Path, content: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(content)


def initialise(root: Root) -> list[Path]:
    """Make folders and the printer's keys where they are missing; keys that exist are kept.

    The insurer's public keys (`insurer.pgp.asc`, `insurer_ssh.pub`) are put beside them by whoever sets up.

    Returns:
        The public files to hand to the insurer: the printer's OpenPGP key and the host key.
    """
    root.make_folders()
    for name in (HOST_KEY, OTHER_HOST_KEY):
        if not (root.keys / name).exists():
            key = asyncssh.generate_private_key("ssh-ed25519")
            _write_private(root.keys / name, key.export_private_key())
            (root.keys / f"{name}.pub").write_bytes(key.export_public_key())
    for name, owner in ((PRINTER_SECRET, "printer"), (STRANGER_SECRET, "stranger")):
        if not (root.keys / name).exists():
            secret = Tsk.generate(f"Sandbox {owner} <{owner}@sandbox.invalid>")
            _write_private(root.keys / name, str(secret).encode())
            (root.keys / f"{owner}.pgp.asc").write_text(str(secret.extract_certificate()), encoding="ascii")
    return [root.keys / PRINTER_PUBLIC, root.keys / HOST_KEY_PUBLIC]


@dataclass(frozen=True)
class Keys:
    """The OpenPGP keys of a running sandbox."""

    printer: Tsk
    stranger: Tsk  # signs when told to sign wrongly
    insurer: Cert


def load_keys(root: Root) -> Keys:
    """Read the OpenPGP keys.

    Raises:
        SetUpError: one is missing or cannot be read.
    """
    for name in (PRINTER_SECRET, STRANGER_SECRET, INSURER_PGP, HOST_KEY, INSURER_SSH):
        if not (root.keys / name).is_file():
            who = "copy it there" if name.startswith("insurer") else "run `init` first"
            raise SetUpError(f"keys/{name} is missing below the sandbox's root: {who}")
    try:
        return Keys(
            Tsk.from_file(str(root.keys / PRINTER_SECRET)),
            Tsk.from_file(str(root.keys / STRANGER_SECRET)),
            Cert.from_file(str(root.keys / INSURER_PGP)),
        )
    except RuntimeError as error:
        raise SetUpError("an OpenPGP key below keys/ cannot be read: make or copy it again") from error
