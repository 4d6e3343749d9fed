"""The hook: an Airflow connection of type ``rma`` turned into a client."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseHook

from airflow_provider_rma.exceptions import (
    AuthenticationError,
    ConfigurationError,
    ConnectionNotMadeError,
    NotFoundError,
    RateLimitedError,
    RunMyAccountsError,
    ServerError,
    UnexpectedResponseError,
)
from airflow_provider_rma.hooks.lookup import get_connection

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection

    from airflow_provider_rma.client.client import RunMyAccountsClient
    from airflow_provider_rma.client.config import ClientConfig


class RunMyAccountsHook(BaseHook):
    """Connect to one tenant of Run my Accounts.

    Making a hook costs nothing: the connection is looked up when it is first needed, and nothing is sent before a
    method of the client is called. The client reads and writes customers, invoices, payments, vendors, vendor invoices
    and receipts, and reads the ledger; docs/endpoints.md lists its methods.

    :param rma_conn_id: id of a connection of type ``rma``. One token opens one tenant, so the connection is the tenant.
    :param content_type: ``json`` or ``xml``; what the connection says if None.
    """

    conn_name_attr = "rma_conn_id"
    default_conn_name = "rma_default"
    conn_type = "rma"
    hook_name = "Run my Accounts"

    def __init__(self, rma_conn_id: str = default_conn_name, *, content_type: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rma_conn_id = rma_conn_id
        self.content_type = content_type

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Fields of the connection form, for Airflow 3.1; later versions read the provider info."""
        from airflow_provider_rma.hooks.form import form_widgets

        return form_widgets()

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Labels of the connection form, for Airflow 3.1; later versions read the provider info."""
        from airflow_provider_rma.hooks.form import field_behaviour

        return field_behaviour()

    @classmethod
    def get_connection(cls, conn_id: str) -> Connection:
        """Look up a connection; see :func:`~airflow_provider_rma.hooks.lookup.get_connection`."""
        return get_connection(conn_id)

    @cached_property
    def config(self) -> ClientConfig:
        """The connection as the client understands it, looked up once.

        :raises ConfigurationError: if a field of the connection is missing or unreadable.
        """
        # Older versions of common-compat, which Airflow 3.1 may have, do not hand it on.
        from airflow.sdk.log import mask_secret

        from airflow_provider_rma.hooks.connection import client_config

        config = client_config(self.get_connection(self.rma_conn_id), content_type=self.content_type)
        # Airflow masks the password as it was stored; without the blanks around it, it is another text.
        mask_secret(config.token)
        return config

    def get_conn(self) -> RunMyAccountsClient:
        """Make a client, to be used as a context manager. Nothing is sent yet.

        :raises ConfigurationError: if a field of the connection is missing or unreadable.
        """
        from airflow_provider_rma.client.client import RunMyAccountsClient

        return RunMyAccountsClient(self.config)

    def test_connection(self) -> tuple[bool, str]:
        """Ask the service for one small thing.

        :return: whether it answered as it should, and a sentence for the person at the form. Never raises; no secret in
            the sentence.
        """
        try:
            config = self.config
            with _client_for_test(config) as client:
                client.ping()
        except RunMyAccountsError as error:
            return False, self._explain(error)
        except Exception as error:  # noqa: BLE001 - the form shows a sentence, whatever happens
            # Its text may quote anything, so only its kind is shown.
            return False, f"The connection could not be tested: {type(error).__name__}."
        if config.allow_writes:
            writes = "Writes are armed: tasks with this connection can book."
        else:
            writes = "Read-only: every write is refused until the extra allow_writes is true."
        return True, f"{config.origin} answered for tenant {config.tenant}. {writes}"

    def _explain(self, error: RunMyAccountsError) -> str:
        if isinstance(error, ConfigurationError):
            return str(error)
        host, tenant = self.config.origin, self.config.tenant
        status = f" (HTTP {error.status})" if error.status is not None else ""
        for kind, sentence in _EXPLANATIONS.items():
            if isinstance(error, kind):
                return sentence.format(
                    host=host, tenant=tenant, status=status, reason=error.message, advice=error.advice
                )
        return f"{host} did not answer as it should{status}: {error.message}. {error.advice}"


def _client_for_test(config: ClientConfig) -> RunMyAccountsClient:
    """A client for a person who waits in front of the form: no second try, no long silence."""
    from airflow_provider_rma.client.client import RunMyAccountsClient
    from airflow_provider_rma.client.retry import RetryPolicy

    config = replace(config, read_timeout=min(config.read_timeout, _TEST_READ_TIMEOUT))
    return RunMyAccountsClient(config, retry=RetryPolicy(tries=1))


_TEST_READ_TIMEOUT = 30.0  # seconds

#: What the person at the form should look at, by what happened.
_EXPLANATIONS: dict[type[RunMyAccountsError], str] = {
    AuthenticationError: (
        "{host} refused the token for tenant {tenant}{status}: it is wrong, has expired, or is another tenant's. "
        "The live service takes only keys that begin with pat_, with the authentication scheme bearer."
    ),
    NotFoundError: (
        "{host} knows no tenant {tenant}{status}. "
        "Check the field Tenant (Mandant): the short name as it stands in the service's addresses."
    ),
    ConnectionNotMadeError: "No connection to {host}: {reason}. {advice}",
    RateLimitedError: "{host} asks for patience{status}: too many requests. Try again later.",
    ServerError: "{host} is reachable but has a problem of its own{status}. Try again later.",
    UnexpectedResponseError: (
        "{host} answered, but not as Run my Accounts does{status}: {reason}. Check Host: a sign-in page, a proxy or "
        "another service may be answering."
    ),
}
