#!/usr/bin/env bash
# Makes the virtual environment $1 with the first Python >= 3.11 that is found, its pip pinned by constraints.txt.
set -euo pipefail

folder=${1:?usage: venv.sh FOLDER}
# `ensurepip` is what a plain Debian python3 lacks until python3-venv is there.
fits='import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))'

find_python() {
  local name
  for name in python3.11 python3.12 python3.13 python3; do
    if "$name" -c "$fits" 2>/dev/null; then
      echo "$name"
      return
    fi
  done
  return 1
}

if ! python=$(find_python); then
  "$(dirname "$0")/servers.sh" python3-venv
  python=$(find_python) || {
    echo "No Python >= 3.11 with venv. On Debian: apt-get install -y python3 python3-venv" >&2
    exit 1
  }
fi

# Python compiles what it imports; pip would compile every file of every package, which takes most of its time.
echo "Making $folder with $("$python" --version)"
"$python" -m venv --clear "$folder"
"$folder/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile --upgrade --constraint constraints.txt pip
