#!/bin/sh
# Make .venv with everything pinned in requirements/, and this package in it as an editable install.
set -eu

pins=requirements/airflow-3.3.txt
venv=.venv
airflow=$(sed -n 's/^apache-airflow==//p' "$pins")

# Byte code makes every start of Airflow two seconds shorter.
unset PYTHONDONTWRITEBYTECODE

say() { printf '%s\n' "$*" >&2; }

# A name on the PATH may be a shim without an interpreter behind it: only running it tells.
usable() {
    "$1" -c "import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= $2)" 2>/dev/null
}

find_python() {
    for candidate in ${PYTHON:-} python3 python3.13 python3.12 python3.11; do
        if usable "$candidate" '(3, 13)'; then echo "$candidate"; return; fi
    done
    # Newer than what is tested, but it may well work.
    if usable python3 '(3, 99)'; then echo python3; return; fi
    say "No usable Python found. Needed is Python 3.11, 3.12 or 3.13 with its venv module"
    say "(Debian and Ubuntu: apt-get install python3-venv). Another place: make PYTHON=/path/to/python3.11"
    return 1
}

if ! "$venv/bin/python" -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    python=$(find_python)
    say "Making $venv with $("$python" --version)"
    "$python" -m venv --clear "$venv"
fi
if ! "$venv/bin/uv" --version >/dev/null 2>&1; then
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check uv
fi
say "Installing $(grep -c == "$pins") pinned packages (Airflow $airflow) and compiling them: a minute the first time"
"$venv/bin/uv" pip install --quiet --python "$venv/bin/python" --compile-bytecode -r "$pins"
"$venv/bin/uv" pip install --quiet --python "$venv/bin/python" --no-deps --no-build-isolation -e .

installed=$("$venv/bin/python" -c 'from importlib.metadata import version; print(version("apache-airflow"))')
if [ "$installed" != "$airflow" ]; then
    say "Airflow $installed is installed instead of $airflow: a pin in $pins contradicts it."
    exit 1
fi
