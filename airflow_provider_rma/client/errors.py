"""One answer, one meaning: what a status, a body or a failure says about a request.

For a write the question is always the same: is it certain that the service did not carry it out? Certain are the
statuses with which it refuses (400, 404, 409, 413, 415, its own error body, and the other 4xx that mean a refusal) and
a connection that was never made. Everything else that is no success leaves a doubt. 5xx and 429 do so even with an
error body: the service may have failed after it had booked, and reading settles that without any risk.
"""

from __future__ import annotations

import errno
import os
import socket
import ssl
from collections.abc import Iterator

import requests
import urllib3.exceptions

from airflow_provider_rma.client.auth import redact
from airflow_provider_rma.client.codecs.content import is_readable
from airflow_provider_rma.client.codecs.wire import HTML_ADVICE, html_page
from airflow_provider_rma.client.endpoints import Request
from airflow_provider_rma.client.responses import Response
from airflow_provider_rma.client.retry import parse_retry_after
from airflow_provider_rma.exceptions import (
    AuthenticationError,
    ConnectionNotMadeError,
    IncompleteResponseError,
    NotFoundError,
    OutcomeUnknownError,
    RateLimitedError,
    RejectedError,
    RequestError,
    ServerError,
    UnexpectedResponseError,
)

_READ_BACK = "Do not send it again: read first whether it was carried out."
_REJECTED = "The service's own text, if any, is in the attribute `server_message`; correct what it names."
_TOKEN = "Check the token (password), the tenant (schema) and auth_scheme of the connection."  # noqa: S105
_PROXY = "Check the connection's extra `proxies`."
_REDIRECT = "Redirects are not followed, they could carry the token elsewhere; correct the host of the connection."
_VERIFY = (
    "If the service is behind a company's own certificate authority, put its file into the connection's extra `verify`."
)

#: 4xx that do not say that a write was refused: time-out, too early, too many, connection closed by the client.
_UNSURE = frozenset({408, 425, 429, 499})


def problem_of(answer: Response, request: Request, token: str) -> RequestError | None:
    """What an answer's status and body say; None if the answer is a success to be decoded."""
    text = None if answer.is_html() else answer.error_text()
    error = _classify(answer, request, text)
    if error is not None:
        of_request(error, request, answer.status)
        error.server_message = redact(text, token) if text is not None else None
    return error


def _classify(answer: Response, request: Request, text: str | None) -> RequestError | None:
    status = answer.status
    if status in (401, 403):
        return AuthenticationError("the service refuses the token", advice=_TOKEN)
    if 200 <= status < 300:
        return _classify_success(answer, request, text)
    if request.method == "GET":
        return _classify_read(answer, text)
    return _classify_write(answer)


def _classify_success(answer: Response, request: Request, text: str | None) -> RequestError | None:
    if text is not None:
        return RejectedError("the service refused the request", advice=_REJECTED)
    if request.method == "GET":
        return html_page() if answer.is_html() else None
    if answer.is_empty() or (not answer.is_html() and is_readable(answer.read())):
        return None
    return OutcomeUnknownError(f"the answer is neither empty nor data. {_READ_BACK}", advice=HTML_ADVICE)


def _classify_write(answer: Response) -> RequestError:
    status = answer.status
    if 300 <= status < 400:
        return OutcomeUnknownError(f"the service answered a write with a redirect. {_READ_BACK}", advice=_REDIRECT)
    if status == 429:
        return OutcomeUnknownError(
            "the service asks to slow down; the write was probably not carried out",
            advice=_READ_BACK,
            retry_after=parse_retry_after(answer.retry_after),
        )
    if 400 <= status < 500 and status not in _UNSURE:
        return RejectedError("the service refused the request", advice=_REJECTED)
    return OutcomeUnknownError("the service failed while it handled the write", advice=_READ_BACK)


def _classify_read(answer: Response, text: str | None) -> RequestError:
    status = answer.status
    if 300 <= status < 400:
        return UnexpectedResponseError("the service answered with a redirect", advice=_REDIRECT)
    if status == 429:
        return RateLimitedError(
            "the service asks to slow down",
            advice="Run fewer tasks at the same time on this tenant.",
            retry_after=parse_retry_after(answer.retry_after),
        )
    if status in (408, 425) or status >= 500:
        return ServerError("the service failed", advice="Try again later; if it stays, ask its support.")
    if status == 404:
        return _not_found(answer, text)
    if text is not None or status == 400:
        return RejectedError("the service refused the request", advice=_REJECTED)
    if status == 407:
        return UnexpectedResponseError("a proxy refuses the request", advice=_PROXY)
    return UnexpectedResponseError("the service answered with a status that is not documented", advice=HTML_ADVICE)


def _not_found(answer: Response, text: str | None) -> RequestError:
    """Only the service's own 404 may count as a piece of the proof that something is absent."""
    if text is not None or answer.is_empty():
        return NotFoundError("there is nothing of that name", advice="Check the number, and the tenant.")
    return UnexpectedResponseError("the answer is a 404 that does not come from the service", advice=HTML_ADVICE)


def not_made(error: Exception, request: Request, *, expired: bool) -> ConnectionNotMadeError:
    """The connection was never made. The text is made here: libraries quote URLs in theirs."""
    advice = "Nothing was sent. Check host and network; a later try can succeed."
    reason, retryable = "no connection", True
    causes = list(_causes(error))
    if expired or any(isinstance(cause, urllib3.exceptions.ConnectTimeoutError) for cause in causes):
        reason = "no connection in the time allowed"
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            reason, retryable = f"the server's certificate is not trusted ({cause.verify_message})", False
            advice = f"Nothing was sent. {_VERIFY}"
        elif isinstance(cause, ssl.SSLError):
            reason, advice = "TLS could not be agreed on", f"Nothing was sent. Check host and port. {_VERIFY}"
        elif isinstance(cause, (urllib3.exceptions.ProxyError, requests.exceptions.ProxyError)):
            reason, advice = "the proxy gives no connection", f"Nothing was sent. {_PROXY}"
        elif isinstance(cause, socket.gaierror):
            reason = "the host's name is not known"
        elif isinstance(cause, OSError) and cause.errno in errno.errorcode and cause.errno is not None:
            reason = f"no connection ({os.strerror(cause.errno)})"
        else:
            continue
        break
    return ConnectionNotMadeError(reason, advice=advice, method=request.method, path=request.path, retryable=retryable)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The exceptions inside an exception of requests or urllib3, innermost certificate trouble first."""
    found: list[BaseException] = []
    queue: list[object] = [error]
    while queue and len(found) < 50:
        current = queue.pop(0)
        if not isinstance(current, BaseException) or any(current is other for other in found):
            continue
        found.append(current)
        queue += [current.__cause__, current.__context__, getattr(current, "reason", None), *current.args]
    return iter(sorted(found, key=_rank))


def _rank(error: BaseException) -> int:
    kinds = (ssl.SSLCertVerificationError, urllib3.exceptions.ProxyError, ssl.SSLError, socket.gaierror)
    return next((index for index, kind in enumerate(kinds) if isinstance(error, kind)), len(kinds))


def interrupted(request: Request, *, expired: bool, seconds: float, timed_out: bool) -> RequestError:
    """The request was sent, and no whole answer came."""
    if expired:
        reason = f"no whole answer within {seconds:g} s"
    elif timed_out:
        reason = "the server fell silent"
    else:
        reason = "the connection was lost before the answer was complete"
    if request.method == "POST":
        return OutcomeUnknownError(reason, advice=_READ_BACK, method=request.method, path=request.path)
    return IncompleteResponseError(
        reason,
        advice="Nothing of it was used. Try again later, or ask for a shorter period.",
        method=request.method,
        path=request.path,
        retryable=not expired,
    )


def in_doubt(error: RequestError, request: Request, status: int) -> RequestError:
    """An answer that came but cannot be read: for a write that is a doubt, for a read it is what it is."""
    if request.method == "GET":
        return of_request(error, request, status)
    doubt = OutcomeUnknownError(f"{error.message}. {_READ_BACK}", advice=error.advice)
    return of_request(doubt, request, status)


def of_request(error: RequestError, request: Request, status: int) -> RequestError:
    """The error with the request it belongs to."""
    error.method, error.path, error.status = request.method, request.path, status
    return error
