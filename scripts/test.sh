#!/usr/bin/env bash
# Runs all tests with the command that is given: first all but those marked `alone`, in parallel as PARALLEL says; then
# those, one at a time. Options that choose tests may choose none for one of the two runs, but not for both.
set -euo pipefail

readonly NO_TESTS=5 # pytest's exit code
parallel=0 alone=0
# shellcheck disable=SC2086 # several options
"$@" $PARALLEL -m "not alone" || parallel=$?
"$@" --cov-append -m alone || alone=$?

if [ "$parallel" -eq "$NO_TESTS" ] && [ "$alone" -eq "$NO_TESTS" ]; then
  exit "$NO_TESTS"
fi
for code in "$parallel" "$alone"; do
  [ "$code" -eq 0 ] || [ "$code" -eq "$NO_TESTS" ] || exit "$code"
done
