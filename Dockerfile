# syntax=docker/dockerfile:1
# Two images from one file: `cpu` (the default, no torch) and `gpu` (the torch runtime).
# The install steps are the ones that `make demo` and `make test` run.
FROM python:3.11-slim AS base
ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore \
    SIGHTLINE_HOST=0.0.0.0 \
    SIGHTLINE_PORT=8000 \
    SIGHTLINE_GALLERY=/data/gallery
WORKDIR /app
RUN useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin sightline \
 && install --directory --owner=sightline --group=sightline /data
COPY requirements requirements
EXPOSE 8000
# /readyz sends a text through the model and a vector through the index.
HEALTHCHECK --interval=10s --timeout=6s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ['SIGHTLINE_PORT'] + '/readyz', timeout=5)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["sightline"]
CMD ["serve"]

FROM base AS gpu
RUN python -m pip install --disable-pip-version-check --require-hashes -r requirements/train.txt
COPY . .
RUN python -m pip install --disable-pip-version-check --no-deps -e .
ENV SIGHTLINE_RUNTIME=torch
VOLUME /data
USER sightline

FROM base AS cpu
RUN python -m pip install --disable-pip-version-check --require-hashes -r requirements/serve.txt
COPY . .
RUN python -m pip install --disable-pip-version-check --no-deps -e .
VOLUME /data
USER sightline
