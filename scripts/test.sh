#!/usr/bin/env bash
# Runs all tests but those marked `long` with the command that is given: first all but those marked `alone`, in
# parallel as PARALLEL says; then those, one at a time; then the contract of calls and requests again, with numbers in files as for several processes.
# Options that choose tests may choose none for some of these runs, but not for all.
set -euo pipefail

readonly NO_TESTS=5 # pytest's exit code
parallel=0 alone=0 files=0
# shellcheck disable=SC2086 # several options
"$@" $PARALLEL -m "not alone and not long" || parallel=$?
"$@" --cov-append -m "alone and not long" || alone=$?
# shellcheck disable=SC2086 # as above
"$@" $PARALLEL --cov-append --files -m "not alone" tests/contract tests/http || files=$?

if [ "$parallel" -eq "$NO_TESTS" ] && [ "$alone" -eq "$NO_TESTS" ] && [ "$files" -eq "$NO_TESTS" ]; then
  exit "$NO_TESTS"
fi
for code in "$parallel" "$alone" "$files"; do
  [ "$code" -eq 0 ] || [ "$code" -eq "$NO_TESTS" ] || exit "$code"
done
