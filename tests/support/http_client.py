"""A client of a scripted server, and the check that every exception of it must pass."""

from __future__ import annotations

import pickle
import traceback
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_rma.client.client import RunMyAccountsClient
from airflow_provider_rma.client.retry import RetryPolicy
from airflow_provider_rma.exceptions import RequestError
from airflow_provider_rma.schemas.invoice import InvoiceSchema
from tests.support.scripted_server import Reply, ScriptedServer, respond

DEPARTMENTS = b'{"department": [{"@id": "1", "@name": "Basel"}, {"@id": "2", "@name": "Bern"}]}'
SECRET = "pat_secret_example"
HTML = b"<!DOCTYPE html><html><body>Login, K-1 Muster</body></html>"

OK = respond(200, DEPARTMENTS)


def make_invoice() -> dict[str, Any]:
    return InvoiceSchema().from_user(
        {
            "invnumber": "R-1",
            "transdate": "2026-01-05",
            "customernumber": "K-1",
            "parts": [{"partnumber": "A-1", "quantity": 1, "sellprice": "2.50"}],
        }
    )


def make_client(server: ScriptedServer, waited: list[float] | None = None, **settings: Any) -> RunMyAccountsClient:
    pauses = waited if waited is not None else []
    retry = RetryPolicy(uniform=lambda low, high: high)
    return RunMyAccountsClient(server.config(**settings), retry=retry, sleep=pauses.append)


def serve(reply: Reply, **settings: Any) -> tuple[ScriptedServer, RunMyAccountsClient]:
    """A server with one reply to everything, and a client of it."""
    server = ScriptedServer([reply])
    return server, make_client(server, **settings)


def request_error(call: Callable[[], Any]) -> RequestError:
    """The exception of a call, checked for what every exception must fulfil."""
    with pytest.raises(RequestError) as caught:
        call()
    error = caught.value
    shown = str(error) + repr(error) + "".join(traceback.format_exception(error))
    for hidden in (SECRET, "Muster", "api_key", "from="):
        assert hidden not in shown
    assert error.advice
    assert error.method in ("GET", "POST")
    assert error.path is not None
    assert error.path.startswith("/")
    assert error.__context__ is None or error.__suppress_context__
    again = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert (type(again), again.__dict__) == (type(error), error.__dict__)
    return error
