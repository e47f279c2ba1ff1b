#!/usr/bin/env bash
# Installs those of the Debian packages $@ that are missing: with apt-get, as root.
# If that is not possible, it prints what to do, and the caller continues without them.
set -euo pipefail

missing=()
for package in "$@"; do
  if ! dpkg-query --show --showformat '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed; then
    missing+=("$package")
  fi
done
if [ "${#missing[@]}" -eq 0 ]; then
  exit 0
fi

command="apt-get install -y --no-install-recommends ${missing[*]}"
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
  echo "Missing: ${missing[*]}. As root on Debian: $command" >&2
  exit 0
fi

# Debian starts a server as soon as it is installed; ours are started by the tests, on ports of their own.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod +x "$policy"
fi

echo "Installing ${missing[*]}"
log=$(mktemp)
export DEBIAN_FRONTEND=noninteractive
if ! { apt-get update -qq && $command -qq; } >"$log" 2>&1; then
  tail -n 20 "$log" >&2
  echo "Could not install: ${missing[*]}" >&2
fi
rm -f "$log"
