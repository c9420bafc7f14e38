"""Airflow's secrets. Only Python itself is imported: `.env` is written before anything is installed."""

from __future__ import annotations

import base64
import secrets


def new_secrets() -> dict[str, str]:
    """Airflow's secrets by the name of their variable: every process of an installation must have the same."""
    return {
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_urlsafe(48),
        "AIRFLOW__API__SECRET_KEY": secrets.token_urlsafe(48),
        "AIRFLOW__CORE__FERNET_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
    }
