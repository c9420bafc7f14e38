"""`python -m kakuninsho.server.compose_env`: writes `.env` with the secrets that docker-compose.yaml asks for."""

from __future__ import annotations

import sys
from pathlib import Path

from kakuninsho.paths import PROJECT_ROOT
from kakuninsho.server.airflow_secrets import new_secrets
from kakuninsho.server.people import new_password, write_private


def render() -> str:
    """The lines of an environment file: one random secret per variable."""
    values = {"POSTGRES_PASSWORD": new_password(), **new_secrets()}
    return "".join(f"{name}={value}\n" for name, value in values.items())


def main(file: Path = PROJECT_ROOT / ".env") -> int:
    """Write the file, readable by its owner only; one that is there is kept. Returns the exit code."""
    if file.exists():
        print(f"{file} is there already: the database knows its password, so it is kept", file=sys.stderr)
        return 1
    write_private(file, render())
    print(f"wrote {file}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
