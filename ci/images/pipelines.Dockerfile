# The image that pipelines run in: `ml` and its components, no cloud credentials inside.
# python:3.11-slim-bookworm, by digest; packages by the hashes of the lock.
FROM python:3.11-slim-bookworm@sha256:a36c24f9cbdf4fd0f52d67f0823eeac19c2028c637cecc392d97f980d4fec56b AS packages
COPY requirements/pipelines.txt /requirements.txt
RUN python -m venv /packages && /packages/bin/pip install --no-cache-dir --require-hashes --no-deps --requirement /requirements.txt

FROM python:3.11-slim-bookworm@sha256:a36c24f9cbdf4fd0f52d67f0823eeac19c2028c637cecc392d97f980d4fec56b
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin fonderie
COPY --from=packages /packages /packages
WORKDIR /app
COPY fonderie/__init__.py fonderie/
COPY fonderie/core fonderie/core
COPY fonderie/google fonderie/google
COPY ml ml
COPY pipelines pipelines
ENV PATH=/packages/bin:$PATH PYTHONUNBUFFERED=1 OMP_NUM_THREADS=1 FONDERIE_HOME=/tmp/fonderie
USER 10001:10001
ENTRYPOINT ["python"]
