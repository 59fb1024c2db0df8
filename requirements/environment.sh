#!/usr/bin/env bash
# Make the virtual environment and put uv into it: environment.sh PYTHON FOLDER
set -euo pipefail
python=$1 folder=$2

if ! command -v "$python" >/dev/null; then
  echo "Patchbay needs Python 3.11 or newer, and there is no \"$python\" here: apt-get install python3" >&2
  exit 1
fi
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
  echo "Patchbay needs Python 3.11 or newer; \"$python\" is $("$python" -V). Name another: make PYTHON=python3.12" >&2
  exit 1
fi

# Debian and Ubuntu keep ensurepip, which a virtual environment needs, in a package of its own.
if ! "$python" -c 'import ensurepip' 2>/dev/null; then
  package=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
  as_root=()
  [ "$(id -u)" = 0 ] || as_root=(sudo -n)
  echo "Installing $package, which $python needs to make a virtual environment."
  if ! { "${as_root[@]}" apt-get update -q && "${as_root[@]}" apt-get install -q -y "$package"; } >/dev/null 2>&1; then
    echo "Could not install it. As root: apt-get update && apt-get install -y $package" >&2
    exit 1
  fi
fi

[ -x "$folder/bin/python" ] || "$python" -m venv "$folder"
"$folder/bin/python" -m pip install -q --disable-pip-version-check --require-hashes -r "$(dirname "$0")/uv.txt"
