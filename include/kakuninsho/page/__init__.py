"""The campaign page: what the published copy says, for people. Runs inside Airflow behind its login, or as a file."""
