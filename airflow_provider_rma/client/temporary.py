"""Errors of the worker's temporary folder: no errors of the service, and asking it again heals none of them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from airflow_provider_rma.exceptions import TemporaryFolderError


def temporary_folder() -> str:
    """Return the path of the folder for temporary files; where none can be written, the one that was wanted."""
    try:
        return tempfile.gettempdir()
    except OSError:
        return os.environ.get("TMPDIR") or "/tmp"  # noqa: S108 - named in a message only


@contextmanager
def translate_disk_errors() -> Iterator[None]:
    """Turn errors of temporary files into ours.

    :raises TemporaryFolderError: the folder is full, over quota, or cannot be used.
    """
    try:
        yield
    except OSError as error:
        problem = TemporaryFolderError(
            f"the response could not be kept in the temporary folder {temporary_folder()}: "
            f"{error.strerror or 'it cannot be used'}",
            advice="Make room there, or set TMPDIR to a folder with room; the service is not asked again.",
        )
    else:
        return
    raise problem
