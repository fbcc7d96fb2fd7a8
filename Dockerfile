FROM python:3.13-slim AS build
WORKDIR /src
COPY requirements.txt requirements-build.txt ./
RUN python -m venv --without-pip /opt/ma-signaling \
    && python -m pip --python /opt/ma-signaling install --no-cache-dir --require-hashes --only-binary :all: \
        --requirement requirements.txt \
    && python -m pip install --no-cache-dir --require-hashes --only-binary :all: --requirement requirements-build.txt
COPY . .
# twistd --help writes Twisted's cache of plugins, which the user below can't.
RUN python -m pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /wheels . \
    && python -m pip --python /opt/ma-signaling install --no-cache-dir --no-deps /wheels/*.whl \
    && /opt/ma-signaling/bin/twistd --help >/dev/null

FROM python:3.13-slim
COPY --from=build /opt/ma-signaling /opt/ma-signaling
USER 10001:10001
EXPOSE 8787
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s \
    CMD ["/opt/ma-signaling/bin/python", "-m", "ma_signaling.healthcheck"]
ENTRYPOINT ["/opt/ma-signaling/bin/ma-signaling"]
