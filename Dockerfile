# One image for every service of docker-compose.yaml, from the same hash-pinned locks as `make setup`.
FROM python:3.11-slim

ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    UV_NO_CACHE=1 \
    DO_NOT_TRACK=1 \
    KAKUNINSHO_DATA=/data \
    AIRFLOW_HOME=/data/airflow

WORKDIR /opt/kakuninsho

# Packages first: they change less often than the project.
COPY requirements-bootstrap.lock requirements.lock ./
RUN pip install --require-hashes -r requirements-bootstrap.lock \
    && uv pip install --system --require-hashes -r requirements.lock

COPY pyproject.toml README.md ./
COPY include include
COPY dags dags
COPY plugins plugins
COPY docs docs
COPY dbt_project dbt_project
COPY expectations expectations
RUN uv pip install --system --no-deps --no-build-isolation --editable .

# Named volumes take over these folders, with owner and mode, when they are first used. /outside is read-only to most
# services, so the place to mount the core system at must be there.
RUN groupadd --gid 10001 kakuninsho \
    && useradd --uid 10001 --gid 10001 --create-home --shell /usr/sbin/nologin kakuninsho \
    && install -d -o kakuninsho -g kakuninsho -m 0700 /data /outside /outside/core
USER kakuninsho

CMD ["airflow", "version"]
