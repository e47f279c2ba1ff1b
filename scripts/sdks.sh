#!/usr/bin/env bash
# Runs the tests of the SDKs' instruments with the newest release of each SDK, with LiteLLM on the newest openai 2, and
# with the oldest releases that pyproject.toml allows; each in a virtual environment of its own, .venv-sdks-RELEASES,
# all at once. The arguments go to pytest.
set -euo pipefail

cd "$(dirname "$0")/.."
readonly SDKS=(openai anthropic google-genai mistralai langchain litellm)
# What is run with each; LiteLLM's openai is none that the other two have, and prices do not depend on SDKs.
declare -A TESTS=(
  [newest]="tests/sdks tests/responses"
  [litellm]="tests/sdks/test_*_litellm.py tests/sdks/test_*_langchain.py tests/sdks/test_streams_openai.py"
  [oldest]="tests/sdks --ignore=tests/sdks/test_prices.py"
)
if [ -n "${SHORT:-}" ]; then # without what `make test` runs, and what takes longest
  TESTS[newest]="tests/sdks --ignore=tests/sdks/test_prices.py"
  TESTS[oldest]+=" --ignore=tests/sdks/test_calls_openai.py --ignore=tests/sdks/test_calls_anthropic.py"
fi

logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT

# Prints $1, $2 … joined by commas.
joined() {
  local IFS=,
  echo "$*"
}

# Puts the package, the SDKs and what their tests need into the folder $1, with the releases $2.
install() {
  local pip=("$1/bin/python" -m pip --quiet --disable-pip-version-check install --no-compile)
  [ -x "$1/bin/python" ] || scripts/venv.sh "$1"
  # langchain-openai and langchain-litellm are chat models for the tests of langchain-core.
  case $2 in
    newest)
      "${pip[@]}" --upgrade -e ".[fastapi,llm,openai,anthropic,google-genai,mistralai,langchain]" --group runtime \
        langchain-openai
      ;;
    litellm)
      "${pip[@]}" --upgrade -e ".[fastapi,llm,litellm,openai,langchain]" --group runtime langchain-litellm "openai<3"
      ;;
    oldest)
      "$1/bin/python" scripts/lowest.py llm "${SDKS[@]}" >"$logs/oldest.txt"
      "${pip[@]}" --constraint "$logs/oldest.txt" -e ".[fastapi,llm,$(joined "${SDKS[@]}")]" --group runtime \
        langchain-openai==0.3.9
      ;;
  esac
}

# Installs and tests the releases $1.
run() {
  local folder=.venv-sdks-$1
  install "$folder" "$1"
  "$folder/bin/python" -m pip list --disable-pip-version-check --format freeze |
    grep -E '^(openai|anthropic|google-genai|mistralai|langchain-core|litellm|genai-prices)=='
  # shellcheck disable=SC2086 # several files, and an option
  "$folder/bin/python" -m pytest -q ${TESTS[$1]} "${@:2}"
}

declare -A started
for releases in newest litellm oldest; do
  run "$releases" "$@" >"$logs/$releases" 2>&1 &
  started[$releases]=$!
done

failed=()
for releases in newest litellm oldest; do
  wait "${started[$releases]}" || failed+=("$releases")
  echo "== The $releases releases, in .venv-sdks-$releases"
  cat "$logs/$releases"
done

if [ "${#failed[@]}" -gt 0 ]; then
  printf 'Failed: %s\n' "${failed[@]}" >&2
  exit 1
fi
