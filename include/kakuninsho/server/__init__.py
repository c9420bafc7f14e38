"""Airflow with its page on one machine, beside the sandbox: what `make up` starts and `make down` stops."""
