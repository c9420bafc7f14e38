"""`python -m kakuninsho.server.initialise`: run once before the services, and safe to run again.

Airflow's tables, the pool, roles and people; with `--sandbox` the keys, a synthetic register and the connection to
the stand-in printer.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from kakuninsho.replay.installation import Beginning, InstallationError, begin, host_key, make_register, prepare
from kakuninsho.server.airflow_home import passwords_file
from kakuninsho.server.database import ensure_connection, ensure_pool, ensure_tables
from kakuninsho.server.people import ensure_passwords
from kakuninsho.server.roles import ensure_people
from kakuninsho.settings import Settings

SANDBOX_PORT = 2222


def main(arguments: list[str] | None = None) -> int:
    """Run it; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m kakuninsho.server.initialise", description=__doc__)
    parser.add_argument("--sandbox", type=Path, help="folder of the sandbox; prepares it too")
    parser.add_argument("--members", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=2025)
    given = parser.parse_args(arguments)
    settings = Settings.from_environment()
    try:
        if given.sandbox:
            prepare_sandbox(settings, given.sandbox, Beginning.of(given.members, given.seed, None))
        else:
            prepare_airflow(settings)
    except InstallationError as error:
        print(f"initialise: {error}", file=sys.stderr)
        return 1
    return 0


def prepare_airflow(settings: Settings) -> None:
    """Tables, pool, roles, people, and the connection by which tasks read the audit log."""
    from airflow.configuration import conf

    from kakuninsho.orchestration.audit import AUDIT_CONNECTION

    settings.store.initialise()
    ensure_tables()
    ensure_pool()
    passwords, _ = ensure_passwords(passwords_file(settings))
    made = ensure_people(passwords)
    # Tasks reach the page where they reach its execution API.
    page = str(conf.get("core", "execution_api_server_url")).removesuffix("/").removesuffix("/execution")
    ensure_connection(AUDIT_CONNECTION, host=page, login="auditor", password=passwords["auditor"])
    print(f"people made: {', '.join(made) or 'none'}; first passwords are in {passwords_file(settings)}")


def prepare_sandbox(settings: Settings, outside: Path, wanted: Beginning) -> None:
    """Keys exchanged, a synthetic register backstage, and the connection with the printer's host key pinned."""
    from kakuninsho.orchestration.run import PRINTER_CONNECTION

    beginning = begin(settings.data, wanted)
    prepare(settings, outside)
    if beginning.members is not None:
        make_register(settings, outside / "core", beginning.members, beginning.seed, lambda _what, _share: None)
    ensure_connection(
        PRINTER_CONNECTION,
        host="127.0.0.1",
        port=SANDBOX_PORT,
        login="insurer",
        extra=json.dumps({"client_key": str(settings.keys / "insurer_ssh"), "host_key": host_key(settings)}),
    )


if __name__ == "__main__":
    sys.exit(main())
