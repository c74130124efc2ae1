# One image for the services, the console and the simulators; the command tells which. docs/containers.md shows its use.
FROM python:3.11-slim-bookworm AS build
# For a package index of one's own; nothing of it stays in the image.
ARG PIP_INDEX_URL=""
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/tandem
COPY requirements.runtime.lock /tmp/
RUN /opt/tandem/bin/pip install --quiet --require-hashes -r /tmp/requirements.runtime.lock \
    && /opt/tandem/bin/pip uninstall --quiet --yes pip setuptools
# The packages are copied, not built: a builder would be the one thing that no hash guards.
COPY pyproject.toml /opt/tandem/app/
COPY contracts /opt/tandem/app/contracts
COPY runtime /opt/tandem/app/runtime
COPY services /opt/tandem/app/services
COPY simulators /opt/tandem/app/simulators
RUN echo /opt/tandem/app > "$(echo /opt/tandem/lib/python3.*/site-packages)/tandem.pth" \
    && printf '%s\n' \
        '#!/opt/tandem/bin/python' 'import sys' 'from services.console.cli import main' 'sys.exit(main())' > /opt/tandem/bin/tandem \
    && chmod 755 /opt/tandem/bin/tandem \
    && /opt/tandem/bin/python -m compileall -q /opt/tandem/app

FROM python:3.11-slim-bookworm
ARG REVISION=""
LABEL org.opencontainers.image.title="Tandem" \
      org.opencontainers.image.description="Keeps Chargebee (billing) and PowerOffice Go (accounting) in step, both ways." \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.revision="${REVISION}"
# Fixed numbers, so that secrets can be made readable for them. /var/lib/tandem is where a volume belongs.
RUN groupadd --gid 10001 tandem \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/tandem --shell /usr/sbin/nologin tandem \
    && install --directory --owner=10001 --group=10001 --mode=0750 /var/lib/tandem
COPY --from=build /opt/tandem /opt/tandem
ENV PATH="/opt/tandem/bin:$PATH" PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PYTHONSAFEPATH=1
WORKDIR /var/lib/tandem
USER 10001:10001
CMD ["tandem", "--help"]
