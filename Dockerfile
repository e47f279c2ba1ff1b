# One image for the four services of examples/recruiting; docker-compose.yml says which of them a container runs.
FROM python:3.13-slim-bookworm

ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /app

# The library before the examples, so that a change of an example installs nothing again.
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY mlmetrics mlmetrics
RUN python -m pip install --constraint constraints.txt ".[fastapi,demo]"
COPY examples examples

USER 65534:65534
CMD ["python", "-m", "examples.recruiting.api"]
