"""Where tests write: into memory if there is enough, for they prove what is written, not that a disk keeps it."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

_MEMORY = Path("/dev/shm")
_NEEDED = 4 << 30


def prefer_memory() -> None:
    """Let temporary files of this process and its children lie in memory, unless ``TMPDIR`` says where they go."""
    if "TMPDIR" in os.environ or not os.access(_MEMORY, os.W_OK):
        return
    if shutil.disk_usage(_MEMORY).free >= _NEEDED:
        tempfile.tempdir = os.environ["TMPDIR"] = str(_MEMORY)
