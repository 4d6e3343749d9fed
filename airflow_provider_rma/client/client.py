"""The client: one method for each thing to do with a tenant's books.

Entities are plain dicts with RMA's own field names, amounts as ``Decimal`` (CHF unless the entity says otherwise), days
as ``datetime.date``; see :mod:`airflow_provider_rma.schemas`.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable, Mapping
from datetime import date, datetime
from functools import partial
from types import TracebackType
from typing import Any, Self

from airflow_provider_rma.client import endpoints
from airflow_provider_rma.client.codecs.wire import ContentType, Mapped
from airflow_provider_rma.client.config import ClientConfig
from airflow_provider_rma.client.endpoints import Endpoint
from airflow_provider_rma.client.errors import unexpected_error
from airflow_provider_rma.client.responses import Response
from airflow_provider_rma.client.retry import RetryPolicy
from airflow_provider_rma.client.stream import Entity, EntityStream, RawResponse
from airflow_provider_rma.client.transport import Transport
from airflow_provider_rma.schemas.keys import normalize_key

log = logging.getLogger(__name__)


class RunMyAccountsClient:
    """Client of one tenant; a context manager. May be used by ``max_in_flight`` threads at the same time.

    Every method takes ``content_type`` (``json`` or ``xml``) in place of the connection's, and raises subclasses of
    :class:`~airflow_provider_rma.exceptions.RequestError`. Reads are retried, writes never.

    :param config: the connection.
    :param retry: policy for reads.
    :param sleep: how to wait between tries.
    :ivar unknown_fields: paths of fields that responses held and nobody has documented, e.g. ``invoice.parts.colour``;
        the first hundred.
    """

    def __init__(
        self, config: ClientConfig, *, retry: RetryPolicy | None = None, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self.config = config
        self.unknown_fields: set[str] = set()
        self._reports = 0
        self._lock = threading.Lock()
        self._transport = Transport(config, retry=retry, sleep=sleep)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.config.base_url!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

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

    # ------------------------------------------------------------------ customers, parts

    def list_customers(self, *, content_type: ContentType | None = None) -> list[Entity]:
        """All customers."""
        return self._list(endpoints.LIST_CUSTOMERS, content_type)

    def get_customer(self, number: str, *, content_type: ContentType | None = None) -> Entity:
        """One customer by its number.

        :raises NotFoundError: if the service itself answers 404.
        """
        return self._get(endpoints.GET_CUSTOMER, "customernumber", number, content_type)

    def save_customer(self, entity: Mapping[str, Any], *, content_type: ContentType | None = None) -> None:
        """Create a customer, or overwrite the one of that number **with all fields** (documented).

        :param entity: complete, as ``CustomerSchema().from_user`` gives it.
        """
        self._post(endpoints.SAVE_CUSTOMER, entity, content_type)

    def list_parts(self, *, content_type: ContentType | None = None) -> list[Entity]:
        """All articles of the master data."""
        return self._list(endpoints.LIST_PARTS, content_type)

    # ------------------------------------------------------------------ invoices

    def list_invoices(
        self,
        *,
        from_date: date,
        to_date: date | None = None,
        status: str | None = None,
        customer_number: str | None = None,
        content_type: ContentType | None = None,
    ) -> list[Entity]:
        """Invoices and credit notes of a period, by invoice date; drafts are not among them (documented).

        :param from_date: first day, inclusive. Required here: left out, the service begins at the tenant's closing date
            and hides everything before (documented).
        :param to_date: last day, inclusive (inferred); None is the service's today: invoices dated later are missing.
        :param status: ``OPEN`` (includes overdue ones, documented), ``PAID`` or ``OVERDUE``.
        :param customer_number: only of this customer.
        """
        query = _invoice_query(from_date, to_date, status, customer_number)
        return self._list(endpoints.LIST_INVOICES, content_type, query=query)

    def iter_invoices(
        self,
        *,
        from_date: date,
        to_date: date | None = None,
        status: str | None = None,
        customer_number: str | None = None,
        content_type: ContentType | None = None,
    ) -> EntityStream:
        """Like :meth:`list_invoices`, one at a time; with XML in flat memory."""
        query = _invoice_query(from_date, to_date, status, customer_number)
        return self._open(endpoints.LIST_INVOICES, content_type, query=query).entities()

    def get_invoice(self, number: str, *, content_type: ContentType | None = None) -> Entity:
        """One invoice by its number (``invnumber``, not the internal id).

        :raises NotFoundError: if the service itself answers 404. By itself no proof that the invoice is absent.
        """
        return self._get(endpoints.GET_INVOICE, "invnumber", number, content_type)

    def create_invoice(self, entity: Mapping[str, Any], *, content_type: ContentType | None = None) -> None:
        """Send one invoice or credit note, once. Success has no content (204): read it back for id and totals.

        :param entity: as ``InvoiceSchema().from_user`` gives it.
        :raises RejectedError: the service refused it.
        :raises ConnectionNotMadeError: nothing was sent.
        :raises OutcomeUnknownError: only reading can tell whether it was booked.
        """
        self._post(endpoints.CREATE_INVOICE, entity, content_type)

    # ------------------------------------------------------------------ ledger

    def list_charts(self, *, content_type: ContentType | None = None) -> list[Entity]:
        """The chart of accounts."""
        return self._list(endpoints.LIST_CHARTS, content_type)

    def iter_transactions(
        self,
        accno: str = "x",
        *,
        from_date: date | None = None,
        to_date: date | None = None,
        include_openings: bool | None = None,
        include_closings: bool | None = None,
        content_type: ContentType | None = None,
    ) -> EntityStream:
        """Posting lines of accounts, amounts raw: debit negative, credit positive (documented sample, ledger code).

        The count that the service announces is checked at the end.

        :param accno: account number; ``x`` stands for any digit, alone for all accounts (documented).
        :param from_date: first day, inclusive; None is the beginning (inferred).
        :param to_date: last day, inclusive (inferred); None is the service's today (documented).
        :param include_openings: opening balances too; None leaves it to the service, whose default is not documented.
        :param include_closings: closing balances too; likewise.
        """
        query = _transaction_query(from_date, to_date, include_openings, include_closings)
        return self._open(endpoints.LIST_TRANSACTIONS, content_type, segments={"accno": accno}, query=query).entities()

    def open_transactions(
        self,
        accno: str = "x",
        *,
        from_date: date | None = None,
        to_date: date | None = None,
        include_openings: bool | None = None,
        include_closings: bool | None = None,
        content_type: ContentType | None = None,
    ) -> RawResponse:
        """Like :meth:`iter_transactions`, as the bytes of the response; a context manager.

        What can be checked without decoding is checked: status, length, compression.
        """
        query = _transaction_query(from_date, to_date, include_openings, include_closings)
        return self._open(endpoints.LIST_TRANSACTIONS, content_type, segments={"accno": accno}, query=query)

    def list_balances(
        self,
        *,
        accno: str | None = None,
        from_date: date | None = None,
        to_date: date | None = None,
        department: str | None = None,
        bookkeeping_main_curr: bool | None = None,
        exclude_yearend_bookings: bool | None = None,
        include_openings: bool | None = None,
        project: str | None = None,
        content_type: ContentType | None = None,
    ) -> list[Entity]:
        """Balances of accounts. The sign convention is not documented; the sample shows liabilities positive.

        :param accno: account number, ``x`` for any digit; None is all accounts.
        :param from_date: first day, inclusive. Income-statement accounts need both days (documented).
        :param to_date: last day, inclusive; None is the service's today (documented).
        :param department: only postings of this department.
        :param bookkeeping_main_curr: in the books' main currency; None is the service's default, true (documented).
        :param exclude_yearend_bookings: without year-end closing vouchers.
        :param include_openings: with opening balances; None is the service's default, true (documented).
        :param project: only postings of this project, by number (seen in a client) or name (documented).
        """
        query = {
            "accno": accno,
            "from": from_date,
            "to": to_date,
            "department": department,
            "bookkeeping_main_curr": bookkeeping_main_curr,
            "exclude_yearend_bookings": exclude_yearend_bookings,
            "include_openings": include_openings,
            "project": project,
        }
        return self._list(endpoints.LIST_BALANCES, content_type, query=query)

    def list_departments(self, *, content_type: ContentType | None = None) -> list[Entity]:
        """All departments."""
        return self._list(endpoints.LIST_DEPARTMENTS, content_type)

    def list_projects(self, *, content_type: ContentType | None = None) -> list[Entity]:
        """All projects."""
        return self._list(endpoints.LIST_PROJECTS, content_type)

    # ------------------------------------------------------------------ requests and responses

    def _list(
        self, endpoint: Endpoint, content_type: ContentType | None, query: Mapping[str, Any] | None = None
    ) -> list[Entity]:
        form = content_type or self.config.content_type

        def decode(response: Response) -> list[Entity]:
            mapped = endpoint.decode_list(response.read(), response.content_type(form))
            response.close()
            return [self._entity(endpoint, record) for record in mapped]

        return self._transport.read(endpoint.request(form, query=query), decode)

    def _get(self, endpoint: Endpoint, key: str, number: str, content_type: ContentType | None) -> Entity:
        form = content_type or self.config.content_type

        def decode(response: Response) -> Entity:
            mapped = endpoint.decode(response.read(), response.content_type(form))
            response.close()
            entity = self._entity(endpoint, mapped)
            if normalize_key(str(entity[key])) != normalize_key(number):
                raise unexpected_error(
                    f"the response is another {endpoint.schema.entity} than the one that was asked for"
                )
            return entity

        return self._transport.read(endpoint.request(form, segments={key: number}), decode)

    def _open(
        self,
        endpoint: Endpoint,
        content_type: ContentType | None,
        segments: Mapping[str, str] | None = None,
        query: Mapping[str, Any] | None = None,
    ) -> RawResponse:
        form = content_type or self.config.content_type
        request = endpoint.request(form, segments=segments, query=query)
        convert, seconds = partial(self._entity, endpoint), self.config.read_deadline
        return self._transport.read(
            request, lambda response: RawResponse(endpoint, request, response, form, convert, seconds)
        )

    def _post(self, endpoint: Endpoint, entity: Mapping[str, Any], content_type: ContentType | None) -> None:
        self._transport.write(endpoint.request(content_type or self.config.content_type, entity=entity))

    def _entity(self, endpoint: Endpoint, mapped: Mapped) -> Entity:
        found: set[str] = set()
        entity = endpoint.schema.from_wire(mapped, unknown_fields=found)
        if found:
            self._report_unknown(endpoint.schema.entity, found)
        return entity

    def _report_unknown(self, entity: str, found: set[str]) -> None:
        with self._lock:
            new = sorted({f"{entity}.{path}" for path in found} - self.unknown_fields)
            new = new[: _MOST_KEPT - len(self.unknown_fields)]
            self.unknown_fields.update(new)
            is_quiet = self._reports >= _MOST_REPORTS
            self._reports += bool(new)
        if new and not is_quiet:
            shown = dict.fromkeys(_show_path(path) for path in new[:_MOST_SHOWN])
            more = f" and {len(new) - _MOST_SHOWN} more" if len(new) > _MOST_SHOWN else ""
            log.warning("The service sends a field that is not documented: %s%s. It is kept.", ", ".join(shown), more)


#: Most paths of undocumented fields that a client keeps, warnings about them, and paths that a warning shows.
_MOST_KEPT, _MOST_REPORTS, _MOST_SHOWN = 100, 5, 5
_FIELD_NAME = re.compile(r"@?[A-Za-z_][A-Za-z0-9_-]{0,31}")


def _show_path(path: str) -> str:
    """A path for the log. A name that is none of a field may be anything, a person's name too: it is not shown."""
    return ".".join(name if _FIELD_NAME.fullmatch(name) else "(unusual name)" for name in path.split("."))


def _invoice_query(
    from_date: date, to_date: date | None, status: str | None, customer_number: str | None
) -> dict[str, Any]:
    return {"from": from_date, "to": to_date, "status": status, "customer_number": customer_number}


def _transaction_query(
    from_date: date | None, to_date: date | None, include_openings: bool | None, include_closings: bool | None
) -> dict[str, Any]:
    return {
        "from_date": from_date,
        "to_date": to_date,
        "include_openings": include_openings,
        "include_closings": include_closings,
    }
