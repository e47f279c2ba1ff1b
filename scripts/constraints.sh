#!/usr/bin/env bash
# Resolves every extra and dependency group anew, in a throwaway environment, and pins the result in constraints.txt.
set -euo pipefail

cd "$(dirname "$0")/.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

python3.11 -m venv "$folder/venv"
pip=("$folder/venv/bin/python" -m pip --disable-pip-version-check)
"${pip[@]}" install --quiet --upgrade pip
"${pip[@]}" install --quiet -e ".[fastapi,live,demo]" --group test --group check --group bench --group mutants
{
  echo "# The versions that this repository is tested with; made by: make constraints"
  "${pip[@]}" freeze --all --exclude-editable --exclude setuptools
} >constraints.txt
