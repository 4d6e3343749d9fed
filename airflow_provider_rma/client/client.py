"""The client: one method for each thing to do with a tenant's books.

Entities are plain dicts with RMA's own field names, amounts as ``Decimal`` (CHF unless the entity says otherwise), days
as ``datetime.date``; see :mod:`airflow_provider_rma.schemas`.
"""

from __future__ import annotations

from datetime import datetime

from airflow_provider_rma.client import endpoints
from airflow_provider_rma.client.ledger import LedgerClient
from airflow_provider_rma.client.purchases import PurchasesClient
from airflow_provider_rma.client.responses import Response
from airflow_provider_rma.client.sales import SalesClient


class RunMyAccountsClient(SalesClient, PurchasesClient, LedgerClient):
    """Client of one tenant; a context manager. May be used by ``max_in_flight`` threads at the same time.

    Every method takes ``content_type`` (``json`` or ``xml``) in place of the connection's, and raises subclasses of
    :class:`~airflow_provider_rma.exceptions.RequestError`. Reads are retried, writes never.

    :param config: the connection.
    :param retry: policy for reads.
    :param sleep: how to wait between tries.
    :ivar unknown_fields: paths of fields that responses held and nobody has documented, e.g. ``invoice.parts.colour``;
        the first hundred.
    """

    def ping(self) -> datetime | None:
        """One light read that fails if host, certificate, token or tenant are wrong.

        It asks for the departments: a list that every tenant has, is short, and holds no personal data.

        :returns: the service's clock when it answered (its ``Date`` header), None if it does not tell.
        """
        form = self.config.content_type

        def decode(response: Response) -> datetime | None:
            endpoints.LIST_DEPARTMENTS.decode_list(response.read(), response.content_type(form))
            response.close()
            return response.date

        return self._transport.read(endpoints.LIST_DEPARTMENTS.request(form), decode)
