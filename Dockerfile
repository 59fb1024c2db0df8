# One image for every node: `serve` (hooks, API, pages and, unless --no-work, the worker) and `work` (the worker alone).
FROM python:3.12-slim AS build
WORKDIR /patchbay
COPY requirements/ requirements/
RUN python -m venv /venv \
 && /venv/bin/pip install --no-cache-dir --require-hashes -r requirements/uv.txt \
 && /venv/bin/uv pip install --python /venv/bin/python --no-cache --require-hashes -r requirements/run.txt \
 && /venv/bin/uv pip uninstall --python /venv/bin/python uv
COPY . .
RUN /venv/bin/python -m pip install --no-cache-dir --no-deps --no-build-isolation -e .

FROM python:3.12-slim
RUN useradd --system --uid 10001 --home-dir /patchbay patchbay \
 && install -d -o patchbay -g patchbay /var/lib/patchbay
COPY --from=build /venv /venv
COPY --from=build /patchbay /patchbay
WORKDIR /patchbay
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PATCHBAY_HOME=/var/lib/patchbay PATCHBAY_HOST=0.0.0.0 PATCHBAY_PORT=8080
USER 10001
VOLUME /var/lib/patchbay
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
  CMD ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:' + os.environ['PATCHBAY_PORT'] + '/readyz', timeout=2)"]
ENTRYPOINT ["patchbay"]
CMD ["serve"]
