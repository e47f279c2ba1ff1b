#!/usr/bin/env bash
# Runs tests with the command that is given after `usual` or `long`.
#
# usual: all but those marked `long`: first those that keep processors busy, in parallel as PARALLEL says, and the
# contract of calls and requests again, with numbers in files as for several processes; then those marked `alone`, one at
# a time, and in one more process beside them those marked `waiting`.
# long: those marked `long`, and beside them those that are `waiting` too.
#
# Options that choose tests may choose none for some of these runs, but not for all.
set -euo pipefail

readonly WHICH=${1:?usage: test.sh usual|long COMMAND...}
shift
readonly NO_TESTS=5 # pytest's exit code
folder=$(mktemp -d)
side=

# Ends what runs beside, if this script is interrupted.
clean() {
  [ -z "$side" ] || kill -INT -- "-$side" 2>/dev/null || true
  rm -rf "$folder"
}
trap clean EXIT

# Runs a command, and keeps its exit code under the name $1.
run() {
  local code=0
  "${@:2}" || code=$?
  echo "$code" >"$folder/$1.code"
}

# Runs the functions $1 and $2 beside each other, and prints what the second one printed after the first one has ended.
# Where coverage is measured, one runs after the other: they add to one file.
beside() {
  local measured=$1 other=$2
  shift 2
  case " $* " in
    *" --cov"*)
      "$measured" "$@"
      "$other" "$@"
      return
      ;;
  esac
  set -m # a process group of its own, which an interruption can end
  "$other" "$@" >"$folder/log" 2>&1 &
  side=$!
  set +m
  "$measured" "$@"
  wait "$side" || true
  side=
  cat "$folder/log"
}

alone() {
  run alone "$@" --cov-append -m "alone and not long"
}

waiting() {
  run waiting "$@" --cov-append -m "waiting and not long"
}

long() {
  run long "$@" -m "long and not waiting"
}

long_and_waiting() {
  run long_and_waiting "$@" --cov-append -m "long and waiting"
}

case $WHICH in
  usual)
    # shellcheck disable=SC2086 # several options
    run parallel "$@" $PARALLEL -m "not alone and not waiting and not long"
    # shellcheck disable=SC2086 # as above
    run files "$@" $PARALLEL --cov-append --files -m "not alone and not waiting and not long" tests/contract tests/http
    beside alone waiting "$@"
    ;;
  long) beside long long_and_waiting "$@" ;;
  *)
    echo "test.sh: $WHICH: expected usual or long" >&2
    exit 2
    ;;
esac

tested=false
for file in "$folder"/*.code; do
  code=$(<"$file")
  [ "$code" -eq "$NO_TESTS" ] && continue
  [ "$code" -eq 0 ] || exit "$code"
  tested=true
done
$tested || exit "$NO_TESTS"
