"""Python in a process of its own, which a test may kill."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.reference import ROOT

#: What every such program begins with.
PRELUDE = """
import os, signal, sys
from tests.support.ledger.window_fixtures import *
from airflow_provider_rma.fault_points import at
from airflow_provider_rma.ledger.destinations.open import open_destination

def die(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)

def many(load, size):
    return [posting("1000", 1 + n, entry_id=n, load=load) for n in range(size)]
"""


@contextmanager
def python(program: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A running program; it is killed, if it still runs, when the block ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", PRELUDE + program, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def says(process: subprocess.Popen[str], line: str) -> None:
    """Wait until the program prints a line."""
    assert process.stdout is not None
    assert process.stdout.readline().strip() == line
