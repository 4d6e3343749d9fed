"""Files on the storages that Airflow has connections to."""

from __future__ import annotations

from typing import IO, Any

from airflow.providers.common.compat.sdk import AirflowException, ObjectStoragePath

from airflow_provider_rma.exceptions import ConfigurationError

_NO_FILE = (FileNotFoundError, IsADirectoryError, NotADirectoryError, ImportError, ValueError)


def open_plan(path: str) -> IO[bytes]:
    """Open a plan file for reading.

    :raises ConfigurationError: if that fails.
    """
    return _open("plan", path, "Plan again; if it was made long ago, rma purge may have removed it.")


def open_outcomes(path: str) -> IO[bytes]:
    """Open the outcome file of the task that created the customers.

    :raises ConfigurationError: if that fails.
    """
    return _open("customer_outcomes", path, "Give the outcome_path of the task that created the customers.")


def _open(parameter: str, path: str, advice: str) -> IO[bytes]:
    try:
        return _open_with_lines(ObjectStoragePath(path))
    except _NO_FILE as error:
        problem = f"{parameter}: there is no file {path} ({type(error).__name__})"
        raise ConfigurationError(problem, advice=advice) from error
    except Exception as error:
        # Libraries of storages have errors of their own.
        raise ConfigurationError(
            f"{parameter}: the storage of {path} cannot be read ({type(error).__name__})",
            advice="Check the path, and the connection of the storage.",
            retryable=True,
        ) from error


def _open_with_lines(file: Any) -> IO[bytes]:
    stream: IO[bytes] = file.open("rb")
    if hasattr(type(stream), "__iter__"):
        return stream
    # Airflow 3.1 puts an object around the file that has no lines.
    stream.close()
    plain: IO[bytes] = file.fs.open(file.path, "rb")
    return plain


def find_source(source: str, conn_id: str | None) -> ObjectStoragePath:
    """Find the file of a source.

    :param source: its path or URL.
    :param conn_id: Airflow connection of its storage.
    :raises ConfigurationError: if it leads to no storage.
    """
    if not source.strip():
        raise ConfigurationError("source: is empty", advice="Give the path or URL of a file.")
    return find_storage("source", source, conn_id)


def find_storage(parameter: str, path: str, conn_id: str | None = None) -> ObjectStoragePath:
    """Find a path on its storage.

    :param parameter: who gave the path, for messages.
    :param path: a path or URL.
    :param conn_id: Airflow connection of the storage.
    :raises ConfigurationError: if it leads to no storage.
    """
    try:
        found = ObjectStoragePath(path, conn_id=conn_id)
        # The connection is looked up when the file system is.
        found.fs  # noqa: B018
    except (AirflowException, ImportError, ValueError, OSError) as error:
        conn = "source_conn_id" if parameter == "source" else "the connection in it"
        raise ConfigurationError(
            f"{parameter} {path}: there is no usable storage ({type(error).__name__})",
            advice=f"Check the URL and {conn}, and that the provider of the storage is installed.",
        ) from error
    return found
