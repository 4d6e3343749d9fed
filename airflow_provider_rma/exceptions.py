"""Every exception this provider raises.

One base class; a meaning per subclass. Each carries what a person on call needs: the request, the status, the server's
own (German) text, an English sentence that says what to do, and whether trying again can help. Attributes are plain
values, so an exception survives pickling between an Airflow worker and its supervisor.

``str()`` of an exception never holds a secret, a URL's query string or the server's text: the server may quote names
and addresses, and messages end in task logs. The server's text is in :attr:`RunMyAccountsError.server_message` and goes
into outcome files only.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = [
    "AuthenticationError",
    "BillingError",
    "BrakeError",
    "ConfigurationError",
    "ConnectionNotMadeError",
    "DestinationError",
    "EvidenceError",
    "FieldProblem",
    "InDoubtError",
    "IncompleteResponseError",
    "InvalidInputError",
    "JournalError",
    "LedgerError",
    "NotFoundError",
    "OutcomeUnknownError",
    "RateLimitedError",
    "RejectedError",
    "RequestError",
    "ResponseTooLargeError",
    "RunMyAccountsError",
    "ServerError",
    "StorageError",
    "TemporaryFolderError",
    "UnexpectedResponseError",
    "UnprovenError",
    "WritesNotAllowedError",
]


class RunMyAccountsError(Exception):
    """Base class of everything raised here.

    :param message: what happened, in English, without secrets and personal data.
    :param advice: what to do about it, one English sentence.
    :param method: HTTP method of the request, if there was one.
    :param path: path of the request below the tenant, without query string.
    :param status: HTTP status of the response, if one came.
    :param server_message: the server's own text (German); may quote personal data, so keep it out of logs.
    :param retryable: whether the same call may succeed later without anybody changing anything.
    """

    #: Default for the class; an instance may differ.
    retryable: bool = False

    #: Result of the run that ended with this error, as its task would return it; None if there is none.
    result: dict[str, Any] | None = None

    def __init__(
        self,
        message: str,
        *,
        advice: str = "",
        method: str | None = None,
        path: str | None = None,
        status: int | None = None,
        server_message: str | None = None,
        retryable: bool | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice
        self.method = method
        self.path = path
        self.status = status
        self.server_message = server_message
        if retryable is not None:
            self.retryable = retryable

    def __str__(self) -> str:
        request = f"{self.method} {self.path}: " if self.method and self.path else ""
        status = f" (HTTP {self.status})" if self.status is not None else ""
        text = f"{request}{self.message}{status}"
        return f"{text.rstrip('.')}. {self.advice}" if self.advice else text

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), self.__dict__.copy(), self.args)


def _restore(cls: type[RunMyAccountsError], state: dict[str, Any], args: tuple[Any, ...]) -> RunMyAccountsError:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class ConfigurationError(RunMyAccountsError):
    """The connection or an Airflow setting is wrong; nothing was sent."""


class WritesNotAllowedError(ConfigurationError):
    """The connection is read-only; nothing was sent."""


@dataclass(frozen=True)
class FieldProblem:
    """One thing wrong with one field of an input.

    :param path: where it is, e.g. ``invoice R-1: parts[2].unit``.
    :param problem: what is wrong with the value; never the value itself where it may be personal data.
    :param remedy: what to do about it.
    """

    path: str
    problem: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}" + (f"; {self.remedy}" if self.remedy else "")


class InvalidInputError(RunMyAccountsError):
    """Input was refused before anything was sent.

    :param problems: every problem found, not only the first.
    """

    def __init__(self, problems: Iterable[FieldProblem], *, advice: str = "") -> None:
        self.problems: Sequence[FieldProblem] = tuple(problems)
        super().__init__("; ".join(str(problem) for problem in self.problems), advice=advice)


class RequestError(RunMyAccountsError):
    """A request to the service did not give the response that was asked for."""


class ConnectionNotMadeError(RequestError):
    """The connection was never made (host down, name unknown, TLS refused), so the service has received nothing."""

    retryable = True


class AuthenticationError(RequestError):
    """401 or 403: the token is missing, wrong, or opens another tenant.

    A firewall can say so after the service has carried a write out: what was sent is read back before anything is said
    of it.

    :ivar is_final: whether the service itself said so, in its own error form.
    """

    def __init__(self, message: str, *, is_final: bool = False, **kwargs: Any) -> None:
        super().__init__(message, **kwargs)
        self.is_final = is_final


class NotFoundError(RequestError):
    """404: by itself no proof that a document is absent, see the rules of billing."""


class RejectedError(RequestError):
    """The service refused the request: an error body in its own form, or a 4xx without a body.

    :ivar is_final: whether the refusal is in the service's own form and under a status that it documents for refusals.
        Otherwise the request may still be carried out until its settle time is over.
    """

    def __init__(self, message: str, *, is_final: bool = False, **kwargs: Any) -> None:
        super().__init__(message, **kwargs)
        self.is_final = is_final


class RateLimitedError(RequestError):
    """429. ``retry_after`` is in seconds, None if the service did not say."""

    retryable = True

    def __init__(self, message: str, *, retry_after: float | None = None, **kwargs: Any) -> None:
        super().__init__(message, **kwargs)
        self.retry_after = retry_after


class ServerError(RequestError):
    """5xx on a read, after all tries."""

    retryable = True


class IncompleteResponseError(RequestError):
    """The response ended early or its announced count does not hold: never taken for a short list.

    :ivar is_miscounted: whether it arrived whole and contradicts its own count, which no shorter period can heal.
    """

    retryable = True

    def __init__(self, message: str, *, is_miscounted: bool = False, **kwargs: Any) -> None:
        super().__init__(message, **kwargs)
        self.is_miscounted = is_miscounted


class UnexpectedResponseError(RequestError):
    """The response is not what the interface documents: HTML, another root element, a redirect, an unreadable value."""


class ResponseTooLargeError(UnexpectedResponseError):
    """The response is larger than what is taken; less may be had by itself."""


class OutcomeUnknownError(RequestError):
    """A write was sent and no reliable response came: it may or may not have been carried out. Only reading can tell.

    ``retry_after`` is the seconds that the service asked to wait (429), None if it did not.
    """

    retryable = True

    def __init__(self, message: str, *, retry_after: float | None = None, **kwargs: Any) -> None:
        super().__init__(message, **kwargs)
        self.retry_after = retry_after


class BillingError(RunMyAccountsError):
    """A billing run ended with documents that need attention.

    :param counts: documents by outcome.
    :param outcome_path: file that names every document and the reason.
    """

    def __init__(self, message: str, *, counts: dict[str, int], outcome_path: str = "", **kwargs: Any) -> None:
        super().__init__(message, **kwargs)
        self.counts = counts
        self.outcome_path = outcome_path


class InDoubtError(BillingError):
    """Some writes have an unknown outcome; a later attempt decides by reading. Clearing the task is safe."""

    retryable = True


class BrakeError(BillingError):
    """A brake stopped the run (cap exceeded, read-back mismatch, unknown outcomes in a row)."""


class JournalError(RunMyAccountsError):
    """The journal cannot be used, so nothing may be posted."""


class EvidenceError(RunMyAccountsError):
    """The evidence of a run could not be written; what the run booked is not affected.

    :param path_of_file: the file that is missing now, empty if none was allocated.
    """

    def __init__(self, message: str, *, path_of_file: str = "", **kwargs: Any) -> None:
        super().__init__(message, **kwargs)
        self.path_of_file = path_of_file


class StorageError(RunMyAccountsError):
    """Files of a run cannot be written. What was booked is in the journal and is not affected."""

    retryable = True


class TemporaryFolderError(RequestError, StorageError):
    """A response came and could not be kept: the worker's temporary folder is full or cannot be used."""

    retryable = False


class LedgerError(RunMyAccountsError):
    """A ledger extract cannot go on, for another reason than the service's responses."""


class UnprovenError(LedgerError):
    """Windows of a ledger extract could not be proven. Those that could are loaded; of the others the old state stays.

    :param windows: name of each window that is not proven, with its verdict.
    :param reasons: the first reasons, as sentences that name accounts and vouchers, nothing personal.
    """

    def __init__(self, message: str, *, windows: dict[str, str], reasons: Iterable[str] = (), **kwargs: Any) -> None:
        super().__init__(message, **kwargs)
        self.windows = windows
        self.reasons: Sequence[str] = tuple(reasons)


class DestinationError(RunMyAccountsError):
    """The warehouse refused a read or a write; the window holds what it held before.

    ``retryable`` is true where waiting can help: another process holds the file, another run replaced the same window.
    """
