"""Where tests write: into memory if there is enough, for they prove what is written, not that a disk keeps it."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

_MEMORY = Path("/dev/shm")
_NEEDED = 4 << 30


def prefer_memory() -> None:
    """Let temporary files of this process and its children lie in memory, unless ``TMPDIR`` says where they go.

    What an earlier run left there, because it was killed or a test failed, is removed.
    """
    if "TMPDIR" in os.environ or not os.access(_MEMORY, os.W_OK):
        return
    runs = _MEMORY / f"rma-tests-{os.getuid()}"
    runs.mkdir(exist_ok=True)
    for left in runs.iterdir():
        if not Path("/proc", left.name).exists():
            shutil.rmtree(left, ignore_errors=True)
    if shutil.disk_usage(_MEMORY).free >= _NEEDED:
        folder = runs / str(os.getpid())
        folder.mkdir(exist_ok=True)
        tempfile.tempdir = os.environ["TMPDIR"] = str(folder)
