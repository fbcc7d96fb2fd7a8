FROM python:3.13-slim AS build
WORKDIR /src
COPY requirements.txt requirements-build.txt ./
RUN python -m venv --without-pip /opt/ma-signaling \
    && python -m pip --python /opt/ma-signaling install --no-cache-dir --require-hashes --only-binary :all: \
        --requirement requirements.txt \
    && python -m pip install --no-cache-dir --require-hashes --only-binary :all: --requirement requirements-build.txt
COPY . .
# Where the volume is: it belongs to the user below.
RUN mkdir -p /var/lib/ma-signaling && touch /opt/ma-signaling/deny
# twistd --help writes Twisted's cache of plugins, which the user below can't; it must be younger than they are, by a second.
RUN python -m pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /wheels . \
    && python -m pip --python /opt/ma-signaling install --no-cache-dir --no-deps /wheels/*.whl \
    && find /opt/ma-signaling -path '*/twisted/plugins/*.py' -exec touch -d '1 hour ago' {} + \
    && /opt/ma-signaling/bin/twistd --help >/dev/null

FROM python:3.13-slim
COPY --from=build /opt/ma-signaling /opt/ma-signaling
COPY --from=build --chown=10001:10001 --chmod=0700 /var/lib/ma-signaling /var/lib/ma-signaling
ENV MA_SIGNALING_STATE_DIRECTORY=/var/lib/ma-signaling MA_SIGNALING_ADMIN_SOCKET=/var/lib/ma-signaling/admin.sock
# An empty list; mount another one there, and reload after a change.
ENV MA_SIGNALING_DENY=/opt/ma-signaling/deny
# Certificates by ACME, bans, and the socket of ma-signaling admin: all that is ever written.
VOLUME /var/lib/ma-signaling
USER 10001:10001
EXPOSE 8787
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s \
    CMD ["/opt/ma-signaling/bin/python", "-m", "ma_signaling.healthcheck"]
ENTRYPOINT ["/opt/ma-signaling/bin/ma-signaling"]
