"""Files and folders with personal data: for their owner only on local file systems, and tried before they are needed.

Object storage has rules of its own, to which files there are left.
"""

from __future__ import annotations

import os
import tempfile
import uuid
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from airflow_provider_rma.exceptions import StorageError

#: Mode of files, whatever the umask; of folders see :func:`folder_mode`.
OWNER_ONLY = 0o600

_PROBE = b"written to see whether it can be, to be removed\n" * 1_000
_TEMPORARY_PROBE = b"\0" * (1 << 20)


def folder_mode(file_mode: int) -> int:
    """Return the mode of a folder: everyone who may read its files may enter it."""
    return file_mode | (file_mode & 0o444) >> 2


def make_folder(fs: Any, path: str, mode: int = OWNER_ONLY) -> None:
    """Make a folder and those above it that are missing.

    :param fs: an fsspec file system.
    :param mode: of the files that it is for.
    """
    if not is_local(fs):
        fs.makedirs(path, exist_ok=True)
        return
    folder = Path(path)
    missing = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    fs.makedirs(path, exist_ok=True)
    for made in missing:
        made.chmod(folder_mode(mode))


def create_file(fs: Any, path: str, mode: int = OWNER_ONLY) -> IO[bytes]:
    """Create a file for writing, in a folder that is made if it is missing.

    :param mode: of the file on a local file system.
    """
    make_folder(fs, os.path.dirname(path), mode)
    stream: IO[bytes] = fs.open(path, "wb")
    if is_local(fs):
        with suppress(PermissionError, FileNotFoundError):  # another user's file, who has decided
            Path(path).chmod(mode)
    return stream


def set_mode(path: str, mode: int) -> None:
    """Give a local file its mode before anything is in it; it is made if it is missing."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, mode)
    try:
        with suppress(PermissionError):  # another user's file, who has decided
            os.fchmod(descriptor, mode)
    finally:
        os.close(descriptor)


def try_folder(fs: Any, folder: str, name: str, mode: int = OWNER_ONLY) -> None:
    """Write a file into a folder and remove it.

    :param name: the folder as a user names it, and what it is for.
    :raises StorageError: if it cannot be written.
    """
    path = f"{folder}/.probe-{uuid.uuid4().hex}"
    try:
        try:
            with create_file(fs, path, mode) as stream:
                stream.write(_PROBE)
        finally:
            with suppress(Exception):
                fs.rm_file(path)
    except Exception as error:
        raise StorageError(
            f"{name} cannot be written ({describe_error(error)})",
            advice="Nothing was sent. Check [rma] storage_path or output_path: that it exists, has room, and may be "
            "written by the worker; then run again.",
        ) from error


def try_temporary_folder() -> None:
    """Write a megabyte into the temporary folder, without a name.

    :raises StorageError: if there is no room or no right.
    """
    try:
        with tempfile.TemporaryFile() as stream:
            stream.write(_TEMPORARY_PROBE)
            stream.flush()
    except OSError as error:
        raise StorageError(
            f"the temporary folder cannot be written ({describe_error(error)})",
            advice="Nothing was sent. Make room on the worker, or set TMPDIR to another folder; then run again.",
        ) from error


def describe_error(error: BaseException) -> str:
    """Describe an error of a file system without quoting its words, which may hold a path or a key."""
    reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else None
    return f"{type(error).__name__}: {reason}" if reason else type(error).__name__


def is_local(fs: Any) -> bool:
    """Whether a file system is the worker's own."""
    protocol = getattr(fs, "protocol", ())
    return "file" in ((protocol,) if isinstance(protocol, str) else tuple(protocol))
