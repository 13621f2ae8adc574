# The gateway alone, without the embedded MongoDB and the real data: both are for development (`make up`).
FROM node:22-slim AS clients
WORKDIR /build/clients
# The build checks the clients' operations against the committed schema and generates their types from it.
COPY schema/schema.graphql /build/schema/
COPY clients/ ./
RUN npm ci --no-audit --no-fund && npm run build

FROM python:3.11-slim
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PYTHONPATH=/srv/carillon
WORKDIR /srv/carillon
COPY requirements-serve.lock pyproject.toml ./
RUN pip install --no-cache-dir --require-hashes -r requirements-serve.lock
COPY gateway/ gateway/
COPY schema/ schema/
COPY resolvers/ resolvers/
COPY models/ models/
COPY loyalty/ loyalty/
COPY programmes/ programmes/
COPY --from=clients /build/clients/dist clients/dist
# Compiled in advance: the user below may not write here.
RUN python -m compileall -q .
RUN printf '#!/bin/sh\nexec python -m gateway "$@"\n' > /usr/local/bin/carillon && chmod +x /usr/local/bin/carillon
RUN useradd --system --home-dir /var/lib/carillon --create-home carillon
USER carillon
ENV CARILLON_HOST=0.0.0.0 CARILLON_DATA_DIR=/var/lib/carillon
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
  CMD ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:%s/readyz' % os.environ.get('CARILLON_PORT', 8000), timeout=2)"]
CMD ["carillon", "serve"]
