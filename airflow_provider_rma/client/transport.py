"""Executes requests over HTTP with ``requests``: one exchange, its retries if it is a read, its errors.

Decisions:

* Nothing is taken from the environment (``trust_env`` is off): proxies come from the connection alone, because they
  decide where the token travels, and a ``.netrc`` would replace the ``Authorization`` header.
* Redirects are never followed and cookies never kept.
* A POST is executed once. No layer below repeats anything (``max_retries=0``), and there is no loop around it here.
* Exceptions of the libraries are not chained to ours: they quote URLs, and a URL can hold the key.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from http.cookiejar import DefaultCookiePolicy
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import requests
import urllib3.exceptions

from airflow_provider_rma.client.auth import make_auth
from airflow_provider_rma.client.config import ClientConfig
from airflow_provider_rma.client.deadline import MAX_IDLE, WatchedAdapter, WatchedRequest
from airflow_provider_rma.client.endpoint import Request
from airflow_provider_rma.client.errors import (
    attach_request,
    document_too_large_error,
    error_for,
    interrupted_error,
    not_connected_error,
    unreadable_error,
)
from airflow_provider_rma.client.read_limit import get_limiter
from airflow_provider_rma.client.responses import MAX_RESPONSE, WIRE_ERRORS, Response, receive
from airflow_provider_rma.client.retry import RetryPolicy
from airflow_provider_rma.exceptions import (
    ConfigurationError,
    RequestError,
    ResponseTooLargeError,
    WritesNotAllowedError,
)

log = logging.getLogger(__name__)

T = TypeVar("T")

_TIMEOUTS = (requests.Timeout, urllib3.exceptions.TimeoutError, TimeoutError)


def user_agent() -> str:
    """``airflow-provider-rma/<version>``."""
    try:
        return f"airflow-provider-rma/{version('airflow-provider-rma')}"
    except PackageNotFoundError:
        return "airflow-provider-rma"


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        """No redirect has a target, so none is looked at."""


class Transport:
    """One tenant's pooled connections. May be used by several threads.

    :param config: the connection.
    :param retry: policy for reads.
    :param sleep: how to wait, ``time.sleep`` by default.
    :param max_idle: seconds for which an idle connection may be used again.
    """

    def __init__(
        self,
        config: ClientConfig,
        *,
        retry: RetryPolicy | None = None,
        sleep: Callable[[float], None] = time.sleep,
        max_idle: float = MAX_IDLE,
    ) -> None:
        if isinstance(config.verify, str) and not Path(config.verify).exists():
            raise ConfigurationError(
                "the connection cannot be used: verify names a file that does not exist.",
                advice="Give the path of a file with the certificate authorities to trust, as this worker sees it.",
            )
        self._config = config
        self._retry = retry or RetryPolicy()
        self._sleep = sleep
        self._max_idle = max_idle
        self._auth = make_auth(config)
        self._session = _Session()
        self._session.trust_env = False
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._session.headers.clear()
        self._session.headers.update({"User-Agent": user_agent(), "Accept-Encoding": "gzip"})
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, WatchedAdapter(config.max_in_flight))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the pooled connections."""
        self._session.close()

    def read(self, request: Request, decode: Callable[[Response], T]) -> T:
        """Execute a GET, again if the retry policy says so, and decode its response.

        Of all reads of this process, no more than ``max_in_flight`` are under way at the host at the same time; pauses
        and decoding do not count.

        :param decode: turns the response into what is wanted; if it finds that the response ended early, the request is
            repeated like after a lost connection. It closes the response, or hands it on.
        :raises RequestError: see the subclasses.
        """
        begin = time.monotonic()
        tried = 0
        while True:
            with get_limiter(self._config.origin).admit(self._config.max_in_flight):
                outcome = self._once(request, self._config.read_deadline)
            tried += 1
            if isinstance(outcome, Response):
                try:
                    return decode(outcome)
                except RequestError as error:
                    outcome.close()
                    outcome = attach_request(error, request, outcome.status)
            pause = self._retry.pause(outcome, tried, time.monotonic() - begin)
            if pause is None:
                raise outcome
            log.warning("%s Try %d of %d follows in %.1f s.", outcome, tried + 1, self._retry.tries, pause)
            self._sleep(pause)

    def write(self, request: Request, decode: Callable[[Response], T]) -> T:
        """Execute a POST, once, and decode its response. Returning means that the service answered with success.

        :param decode: turns the response into the result; if it cannot read it, the outcome is unknown.
        :raises WritesNotAllowedError: on a read-only connection; nothing was sent.
        :raises ConnectionNotMadeError: nothing was sent.
        :raises RejectedError: the service refused it.
        :raises OutcomeUnknownError: only reading can tell whether it was carried out.
        """
        if not self._config.allow_writes:
            raise WritesNotAllowedError(
                "the connection is read-only; nothing was sent.",
                advice="To arm it, set the extra `allow_writes` of the connection to true.",
                method=request.method,
                path=request.path,
            )
        outcome = self._once(request, self._config.total_deadline)
        if not isinstance(outcome, Response):
            raise outcome
        failure: RequestError
        try:
            return decode(outcome)
        except RequestError as error:
            failure = unreadable_error(error, request, outcome.status)
        finally:
            outcome.close()
        raise failure

    def _once(self, request: Request, seconds: float) -> Response | RequestError:
        """One exchange. The error is returned, not raised, so that no library's exception becomes its context."""
        prepared = self._prepare(request)
        exchange = WatchedRequest(seconds, max_idle=self._max_idle)
        failure: Exception
        with exchange.enforce():
            try:
                return self._exchange(prepared, request, exchange)
            except WIRE_ERRORS as error:
                failure = error
        if not exchange.sent:
            return not_connected_error(failure, request, expired=exchange.expired)
        timed_out = isinstance(failure, _TIMEOUTS)
        return interrupted_error(request, expired=exchange.expired, seconds=seconds, timed_out=timed_out)

    def _exchange(
        self, prepared: requests.PreparedRequest, request: Request, exchange: WatchedRequest
    ) -> Response | RequestError:
        config = self._config
        with self._session.send(
            prepared,
            stream=True,
            allow_redirects=False,
            timeout=(min(config.connect_timeout, exchange.seconds), min(config.read_timeout, exchange.seconds)),
            verify=config.verify,
            proxies=dict(config.proxies or {}),
        ) as raw:
            unread: RequestError | None = None
            try:
                response = receive(raw, request.max_response or MAX_RESPONSE)
            except RequestError as error:
                unread = error
        if exchange.expired:
            # The socket was shut down, which looks like an end where no length was announced.
            return interrupted_error(request, expired=True, seconds=exchange.seconds, timed_out=False)
        if unread is not None:
            if isinstance(unread, ResponseTooLargeError) and request.max_response is not None:
                unread = document_too_large_error(request.max_response)
            return unreadable_error(unread, request, raw.status_code)
        problem = error_for(response, request, config.token)
        if problem is not None:
            response.close()
            return problem
        return response

    def _prepare(self, request: Request) -> requests.PreparedRequest:
        try:
            return self._session.prepare_request(
                requests.Request(
                    request.method,
                    f"{self._config.base_url}{request.target}",
                    headers=dict(request.headers),
                    data=request.body,
                    auth=self._auth,
                )
            )
        except (requests.RequestException, ValueError):
            problem = ConfigurationError(
                "the connection cannot be used: its host is no address.", advice="Correct the host; nothing was sent."
            )
        raise problem
