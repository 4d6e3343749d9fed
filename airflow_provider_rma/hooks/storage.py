"""Files on the storages that Airflow has connections to."""

from __future__ import annotations

from typing import IO, Any

from airflow.providers.common.compat.sdk import AirflowException, ObjectStoragePath

from airflow_provider_rma.exceptions import ConfigurationError


def open_plan(path: str) -> IO[bytes]:
    """Open a plan file for reading.

    :raises ConfigurationError: if there is none. Other errors of a storage may pass, so that a retry can help.
    """
    try:
        file: Any = ObjectStoragePath(path)
        stream: IO[bytes] = file.open("rb")
    except (FileNotFoundError, IsADirectoryError, ImportError, ValueError) as error:
        raise ConfigurationError(
            f"plan: there is no file {path} ({type(error).__name__})",
            advice="Plan again; if it was made long ago, rma purge may have removed it.",
        ) from error
    return stream


def find_source(source: str, conn_id: str | None) -> ObjectStoragePath:
    """Find the file of a source.

    :param source: its path or URL.
    :param conn_id: Airflow connection of its storage.
    :raises ConfigurationError: if it leads to no storage.
    """
    if not source.strip():
        raise ConfigurationError("source: is empty", advice="Give the path or URL of a file.")
    try:
        path = ObjectStoragePath(source, conn_id=conn_id)
        # The connection is looked up when the file system is.
        path.fs  # noqa: B018
    except (AirflowException, ImportError, ValueError, OSError) as error:
        raise ConfigurationError(
            f"source {source}: there is no usable storage ({type(error).__name__})",
            advice="Check the URL and source_conn_id, and that the provider of the storage is installed.",
        ) from error
    return path
