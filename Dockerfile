FROM python:3.13-slim AS build
WORKDIR /src
COPY . .
RUN python -m venv /opt/ma-signaling \
    && /opt/ma-signaling/bin/pip install --no-cache-dir --disable-pip-version-check . \
    # Twisted keeps a cache of its plugins, which the user below could not write.
    && /opt/ma-signaling/bin/twistd --help >/dev/null

FROM python:3.13-slim
COPY --from=build /opt/ma-signaling /opt/ma-signaling
USER nobody
WORKDIR /tmp
EXPOSE 8787
HEALTHCHECK CMD ["/opt/ma-signaling/bin/python", "-c", \
    "import os, urllib.request as u; u.urlopen(f\"http://127.0.0.1:{os.environ.get('MA_SIGNALING_HTTP_PORT') or os.environ.get('MA_SIGNALING_PORT') or os.environ.get('PORT') or 8787}/health\", timeout=3)"]
CMD ["/opt/ma-signaling/bin/ma-signaling"]
