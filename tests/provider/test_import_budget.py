"""Importing an operator module is paid at every DAG parse: it must bring nothing heavy along."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from airflow_provider_rma.get_provider_info import get_provider_info

HEAVY = ("requests", "urllib3", "marshmallow", "lxml", "pyarrow", "duckdb", "sqlalchemy", "starlette", "uvicorn")

_PROBE = """
import importlib, json, sys, time
import airflow.sdk
before, start = set(sys.modules), time.perf_counter()
for name in {modules!r}:
    importlib.import_module(name)
took = time.perf_counter() - start
print(json.dumps([round(took * 1000, 1), sorted(set(sys.modules) - before)]))
"""

_INFO = get_provider_info()
MODULES = {
    "hooks": [name for entry in _INFO["hooks"] for name in entry["python-modules"]]
    + ["airflow_provider_rma.hooks.settings"],
    "operators": [name for entry in _INFO["operators"] for name in entry["python-modules"]],
    "transfers": [entry["python-module"] for entry in _INFO["transfers"]],
}


@pytest.mark.parametrize("kind", MODULES)
def test_nothing_heavy_is_imported(kind: str) -> None:
    probe = subprocess.run(
        [sys.executable, "-c", _PROBE.format(modules=MODULES[kind])], capture_output=True, text=True, check=False
    )
    assert probe.returncode == 0, probe.stderr
    took, new = json.loads(probe.stdout.splitlines()[-1])
    # Shown by `pytest -s`; not asserted, since a busy machine is no fault of the import.
    sys.stdout.write(f"{kind}: {took} ms on top of airflow.sdk\n")
    heavy = sorted(name for name in new if name.split(".")[0] in HEAVY)
    assert not heavy, f"{kind} import {heavy[:10]}"
