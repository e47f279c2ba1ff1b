#!/usr/bin/env bash
# Runs the tests with the lowest version of every dependency that pyproject.toml allows and with the newest, and on
# each Python; each in a virtual environment of its own, .venv-PYTHON-VERSIONS. The arguments go to pytest.
#
# SHORT=1 is what CI runs: the runtime's tests, with the lowest versions and with those of constraints.txt, on the
# oldest and the newest Python. A missing Python is reported and skipped; with CI set, it is an error.
set -euo pipefail

cd "$(dirname "$0")/.."

if [ -n "${SHORT:-}" ]; then
  runs=("3.11 lowest" "3.13 pinned")
  # What depends on Python and on no version of a dependency: `make test` runs it on 3.11.
  of_python=(calls/test_interruptions.py plain/test_exactness.py recording/test_counting.py)
  of_python+=(recording/test_interrupted_folds.py workers/test_detection.py)
  what=(-e ".[fastapi,cli]" --group runtime)
  left_out=(cli live monitoring examples otlp test_house.py test_promql.py test_recipes.py test_servers.py)
  # What switches off SDKs and models as well, which the extra demo brings.
  left_out+=(test_switch.py)
  # Servers of several workers, which bring their own dependencies, and what takes minutes.
  left_out+=(workers/test_servers.py workers/test_together.py workers/test_kills.py workers/test_interrupted_reads.py)
else
  runs=("3.11 lowest" "3.11 newest" "3.12 newest" "3.13 newest")
  what=(-e ".[fastapi,live,demo]" --group test)
  left_out=()
  of_python=()
fi
# Tests not of the runtime, slow, or independent of versions: `make test` runs them. (Those of the dashboards start
# services in threads, and anyio 4.3, which the lowest versions need, cannot always be imported by several at once.)
left_out+=(benchmarks browser integration packaging scale typing monitoring/grafana monitoring/test_mutation.py monitoring/verify)

constraints=$(mktemp)
trap 'rm -f "$constraints"' EXIT

# Prints the interpreter of Python $1: by its name, or among those that pyenv has installed.
find_python() {
  local candidate
  for candidate in "python$1" "${PYENV_ROOT:-$HOME/.pyenv}/versions/$1".*/bin/python; do
    # `ensurepip` is what a plain Debian python3 lacks until python3-venv is there.
    if "$candidate" -c "import ensurepip, venv" 2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
  return 1
}

# Puts the package and what its tests need into the folder $2, for the interpreter $1, with the versions $3.
install() {
  local pip=("$2/bin/python" -m pip --quiet --disable-pip-version-check install --no-compile)
  if [ ! -x "$2/bin/python" ]; then
    "$1" -m venv "$2"
    "${pip[@]}" --upgrade --constraint constraints.txt pip
  fi
  case $3 in
    lowest)
      "$2/bin/python" scripts/lowest.py >"$constraints"
      "${pip[@]}" --constraint "$constraints" "${what[@]}"
      ;;
    pinned) "${pip[@]}" --constraint constraints.txt "${what[@]}" ;;
    newest) "${pip[@]}" --upgrade --upgrade-strategy eager "${what[@]}" ;;
  esac
}

failed=()
for run in "${runs[@]}"; do
  read -r version kind <<<"$run"
  if ! python=$(find_python "$version"); then
    echo "Python $version ($kind versions): not found, or without venv; tried python$version and pyenv" >&2
    [ -z "${CI:-}" ] || failed+=("$run: no Python $version")
    continue
  fi
  folder=.venv-$version-$kind
  without=("${left_out[@]}")
  [ "$kind" != lowest ] || without+=("${of_python[@]}")
  echo "Python $version with the $kind versions, in $folder"
  if ! install "$python" "$folder" "$kind"; then
    failed+=("$run: cannot be installed")
  elif ! "$folder/bin/python" -m pytest -q tests "${without[@]/#/--ignore=tests/}" "$@"; then
    failed+=("$run")
  fi
done

if [ "${#failed[@]}" -gt 0 ]; then
  printf 'Failed: %s\n' "${failed[@]}" >&2
  exit 1
fi
