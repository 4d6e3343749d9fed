"""The errors of a source that cannot be read, all raised before anything is sent."""

from __future__ import annotations

from airflow_provider_rma.exceptions import ConfigurationError, FieldProblem, InvalidInputError, RunMyAccountsError


def unreadable_error(where: str, problem: str, remedy: str = "check the file") -> InvalidInputError:
    """Build the error of a source whose content cannot be used; trying again does not help.

    :param where: the file, with a line or column where it is known.
    :param problem: what is wrong, without any of the file's content.
    """
    return InvalidInputError([FieldProblem(f"source {where}", problem, f"{remedy}; nothing was sent")])


def storage_error(where: str, error: Exception) -> RunMyAccountsError:
    """Build the error of a storage that does not hand out a file.

    A missing file may come later and a storage may be reachable again, so those are worth another try; a right that is
    missing is not.
    """
    if isinstance(error, RunMyAccountsError):
        return error
    if isinstance(error, FileNotFoundError):
        return ConfigurationError(
            f"source {where}: the file does not exist",
            advice="Check the path, or let a sensor wait for the file.",
            retryable=True,
        )
    if isinstance(error, PermissionError):
        return ConfigurationError(
            f"source {where}: access is denied", advice="Give the worker, or source_conn_id, the right to read it."
        )
    return ConfigurationError(
        f"source {where}: the storage cannot be read ({type(error).__name__})",
        advice="Check the path, source_conn_id and the storage.",
        retryable=True,
    )
