#!/usr/bin/env bash
# Runs the instruments of others, and ours, through the ways of asking an SDK, against the servers of the tests; each
# in a virtual environment of its own, .venv-rivals-NAME, with the newest releases that work together. Then writes
# docs/rivals.md.
set -euo pipefail

cd "$(dirname "$0")/.."
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT

# Installs $2 … into the folder of the instrument $1, with what the programs themselves need.
install() {
  local folder=.venv-rivals-$1
  [ -x "$folder/bin/python" ] || scripts/venv.sh "$folder"
  "$folder/bin/python" -m pip --quiet --disable-pip-version-check install --upgrade \
    -e . openai anthropic opentelemetry-sdk httpx httpx2 pydantic pytest uvicorn "${@:2}"
}

# Runs the instrument $1 with the SDKs $2 …
run() {
  local sdk
  for sdk in "${@:2}"; do
    ".venv-rivals-$1/bin/python" -m tests.sdks.rivals "$1" "$sdk" "$results/$1-$sdk.json" 2>"$results/$1-$sdk.log" ||
      { cat "$results/$1-$sdk.log" >&2 && exit 1; }
  done
}

install mlmetrics
run mlmetrics openai anthropic
# Later releases of opentelemetry-util-genai have no module `instruments`, which this one imports.
install opentelemetry opentelemetry-instrumentation-openai-v2==2.4b0 opentelemetry-util-genai==1.1b0
run opentelemetry openai
install traceloop opentelemetry-instrumentation-openai opentelemetry-instrumentation-anthropic
run traceloop openai anthropic
install openlit "openlit>=1.45"
run openlit openai anthropic
install sdk
run sdk anthropic

.venv-rivals-mlmetrics/bin/python -m tests.sdks.rivals.page "$results" docs/rivals.md
