"""The meaning of a response, and of a request without one, as one of our exceptions. Decided here and nowhere else.

For a write the question is always the same: is it certain that the service did not carry it out? A firewall or a proxy
can answer in the service's place after the service has booked. So a refusal is *final* only in the service's own error
form (a JSON or XML error body, whatever content type was asked for) under a status that it documents for refusals. This
is what a sender may rely on:

=============================================  ======================================================================
Response to a write                            Meaning
=============================================  ======================================================================
own error form, 400, 404, 409, 413, 415        `RejectedError`, ``is_final``: read back; absent is refused for good
own error form, any other 4xx or a 2xx;        `RejectedError`, not final: read back; absent is refused, but nothing may
a 4xx without a body                           be sent under that number before its settle time is over
401, 403                                       `AuthenticationError`: stop, and read back what was sent, also where
                                               ``is_final`` says that the service itself refused the token
2xx, empty or data                             carried out; read back
everything else: HTML, plain text or other     `OutcomeUnknownError`: read back; absent is in doubt until the settle
data under a refusal; 3xx, 429, 5xx, 408;      time is over
202, 203, 206; no whole response
no connection                                  `ConnectionNotMadeError`: nothing was sent
=============================================  ======================================================================

5xx and 429 leave a doubt even with an error body: the service may have failed after it had booked.

Three groups: a whole response (:func:`error_for`), a request without a whole response (:func:`not_connected_error`,
:func:`interrupted_error`), and a body that is not data (the codecs raise these, :func:`unreadable_error` says what they
mean for a request).
"""

from __future__ import annotations

import errno
import os
import socket
import ssl
from collections.abc import Iterator
from typing import Protocol

import requests
import urllib3.exceptions

from airflow_provider_rma.client.redaction import redact
from airflow_provider_rma.exceptions import (
    AuthenticationError,
    ConnectionNotMadeError,
    IncompleteResponseError,
    NotFoundError,
    OutcomeUnknownError,
    RateLimitedError,
    RejectedError,
    RequestError,
    ResponseTooLargeError,
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

_PARTIAL = "Nothing of it was used. Try again; if it stays, look for a proxy between here and the service."

_HTML = "Check host and tenant of the connection, and whether a proxy or a maintenance page answers in its place."

#: 4xx that do not say that a write was refused: time-out, too early, too many, connection closed by the client.
_UNSURE = frozenset({408, 425, 429, 499})

#: Statuses with which the service is documented to refuse a request.
_FINAL = frozenset({400, 404, 409, 413, 415})

#: 2xx that say by themselves that the response is not the whole answer of the service: not carried out yet, changed by
#: a proxy, a part.
_PARTIAL_SUCCESS = {
    202: "the service accepted the request and has not carried it out yet",
    203: "a proxy changed the response",
    206: "the response is only a part",
}


class RequestLike(Protocol):
    """The members of a request that its error shows."""

    @property
    def method(self) -> str: ...

    @property
    def path(self) -> str: ...

    @property
    def media_type(self) -> str | None: ...


class ResponseLike(Protocol):
    """The members of a response that its meaning depends on."""

    @property
    def status(self) -> int: ...

    @property
    def retry_after(self) -> float | None: ...

    def is_html(self) -> bool: ...

    def is_empty(self) -> bool: ...

    def is_readable(self) -> bool: ...

    def error_text(self) -> str | None: ...


# ------------------------------------------------------------------ a whole response


def error_for(response: ResponseLike, request: RequestLike, token: str) -> RequestError | None:
    """The error that a response's status and body stand for; None if it is a success to be decoded.

    :param token: is taken out of the service's text.
    """
    text = None if response.is_html() else response.error_text()
    error = _classify(response, request, text)
    if error is not None:
        attach_request(error, request, response.status)
        error.server_message = redact(text, token) if text is not None else None
    return error


def _classify(response: ResponseLike, request: RequestLike, text: str | None) -> RequestError | None:
    status = response.status
    if status in (401, 403):
        return _token_refused(response, text)
    if 200 <= status < 300:
        return _classify_success(response, request, text)
    if request.method == "GET":
        return _classify_read(response, text)
    return _classify_write(response, text)


def _token_refused(response: ResponseLike, text: str | None) -> AuthenticationError:
    if text is None and not response.is_empty():
        return AuthenticationError("access is refused, and not in the service's own words", advice=f"{_TOKEN} {_HTML}")
    return AuthenticationError("the service refuses the token", advice=_TOKEN, is_final=text is not None)


def _classify_success(response: ResponseLike, request: RequestLike, text: str | None) -> RequestError | None:
    if text is not None:
        return RejectedError("the service refused the request", advice=_REJECTED, is_final=False)
    if response.status in _PARTIAL_SUCCESS:
        reason = _PARTIAL_SUCCESS[response.status]
        if request.method == "GET":
            return IncompleteResponseError(reason, advice=_PARTIAL)
        return OutcomeUnknownError(f"{reason}. {_READ_BACK}", advice=_HTML)
    if request.method == "GET":
        return html_page_error() if response.is_html() and request.media_type != "text/html" else None
    if response.is_empty() or (not response.is_html() and response.is_readable()):
        return None
    return OutcomeUnknownError(f"the response is neither empty nor data. {_READ_BACK}", advice=_HTML)


def _classify_write(response: ResponseLike, text: str | None) -> RequestError:
    status = response.status
    if 300 <= status < 400:
        return OutcomeUnknownError(f"the service answered a write with a redirect. {_READ_BACK}", advice=_REDIRECT)
    if status == 429:
        return OutcomeUnknownError(
            "the service asks to slow down; the write was probably not carried out",
            advice=_READ_BACK,
            retry_after=response.retry_after,
        )
    if 400 <= status < 500 and status not in _UNSURE:
        if text is not None or response.is_empty():
            is_final = text is not None and status in _FINAL
            return RejectedError("the service refused the request", advice=_REJECTED, is_final=is_final)
        return OutcomeUnknownError(f"the refusal is not in the service's own words. {_READ_BACK}", advice=_HTML)
    return OutcomeUnknownError("the service failed while it handled the write", advice=_READ_BACK)


def _classify_read(response: ResponseLike, text: str | None) -> RequestError:
    status = response.status
    if 300 <= status < 400:
        return UnexpectedResponseError("the service answered with a redirect", advice=_REDIRECT)
    if status == 429:
        return RateLimitedError(
            "the service asks to slow down",
            advice="Run fewer tasks at the same time on this tenant.",
            retry_after=response.retry_after,
        )
    if status in (408, 425) or status >= 500:
        return ServerError("the service failed", advice="Try again later; if it stays, ask its support.")
    if status == 404:
        return _not_found(response, text)
    if text is not None or (status == 400 and response.is_empty()):
        is_final = text is not None and status in _FINAL
        return RejectedError("the service refused the request", advice=_REJECTED, is_final=is_final)
    if status == 407:
        return UnexpectedResponseError("a proxy refuses the request", advice=_PROXY)
    return UnexpectedResponseError("the service answered with a status that is not documented", advice=_HTML)


def _not_found(response: ResponseLike, text: str | None) -> RequestError:
    """Only the service's own 404 may count as a piece of the proof that something is absent."""
    if text is not None or response.is_empty():
        return NotFoundError("there is nothing of that name", advice="Check the number, and the tenant.")
    return UnexpectedResponseError("the response is a 404 that does not come from the service", advice=_HTML)


# ------------------------------------------------------------------ no whole response


def not_connected_error(error: Exception, request: RequestLike, *, expired: bool) -> ConnectionNotMadeError:
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


def interrupted_error(request: RequestLike, *, expired: bool, seconds: float, timed_out: bool) -> RequestError:
    """The request was sent, and no whole response came."""
    if expired:
        reason = f"no whole response within {seconds:g} s"
    elif timed_out:
        reason = "the server fell silent"
    else:
        reason = "the connection was lost before the response was complete"
    if request.method == "POST":
        return OutcomeUnknownError(reason, advice=_READ_BACK, method=request.method, path=request.path)
    return IncompleteResponseError(
        reason,
        advice="Nothing of it was used. Try again later, or ask for a shorter period.",
        method=request.method,
        path=request.path,
        retryable=not expired,
    )


def unreadable_error(error: RequestError, request: RequestLike, status: int) -> RequestError:
    """A response that came but cannot be read: for a write that is a doubt, for a read it is what it is."""
    if request.method == "GET":
        return attach_request(error, request, status)
    doubt = OutcomeUnknownError(f"{error.message}. {_READ_BACK}", advice=error.advice)
    return attach_request(doubt, request, status)


def wrong_checksum_error(method: str, path: str) -> OutcomeUnknownError:
    """An upload that arrived as something else than what was sent."""
    return OutcomeUnknownError(
        "the service has a file, and states another checksum than that of the file that was sent",
        advice="Look at the receipt in RMA, and have it removed if it is damaged.",
        method=method,
        path=path,
        retryable=False,
    )


def attach_request(error: RequestError, request: RequestLike, status: int) -> RequestError:
    """The error with the request it belongs to."""
    error.method, error.path, error.status = request.method, request.path, status
    return error


# ------------------------------------------------------------------ a body that is not data


def incomplete_error(form: str, where: str = "") -> IncompleteResponseError:
    """A response that ended before its end.

    :param form: the form in which the end is missing: JSON, XML, HTTP or gzip.
    :param where: continues the sentence.
    """
    return IncompleteResponseError(
        f"the {form} response ended early{where}",
        advice="Nothing of it was used. Try again; if it stays, ask for a shorter period.",
    )


def count_mismatch_error(announced: int, count: int) -> IncompleteResponseError:
    """A list that contradicts its own count."""
    return IncompleteResponseError(
        f"the service announced {announced} entries and sent {count}",
        advice="Nothing of it was used. Try again; if it stays, report it to the service's support.",
        is_miscounted=True,
    )


def unexpected_error(message: str, advice: str = "") -> UnexpectedResponseError:
    """A response that is not what the interface documents."""
    return UnexpectedResponseError(
        message, advice=advice or "The service did not answer as documented; look at it with `curl` or ask its support."
    )


def html_page_error() -> UnexpectedResponseError:
    """An HTML page in place of data."""
    return unexpected_error("the response is an HTML page, not data", _HTML)


def too_deep_error(levels: int) -> UnexpectedResponseError:
    """A body nested deeper than ``levels``."""
    return unexpected_error(f"the response is nested deeper than {levels} levels")


def too_large_error(limit: int) -> ResponseTooLargeError:
    """A body of more than ``limit`` bytes."""
    return ResponseTooLargeError(f"the response is longer than {limit} bytes", advice="Ask for a shorter period.")


def document_too_large_error(limit: int) -> UnexpectedResponseError:
    """A document for people of more than ``limit`` bytes."""
    return unexpected_error(f"the document is longer than {limit} bytes", "Look at the document in RMA itself.")


def too_slow_error(seconds: float) -> UnexpectedResponseError:
    """A body that takes longer to decode than a request may take."""
    return unexpected_error(
        f"the response could not be decoded within {seconds:g} s",
        "Ask for a shorter period, or raise the connection's extra `read_timeout`.",
    )


def rejected_error(text: str) -> RejectedError:
    """The service's own refusal; ``text`` is German and may quote personal data."""
    return RejectedError(
        "the service refused the request",
        advice="The service's own text is in the attribute `server_message`; correct what it names.",
        server_message=text,
    )
