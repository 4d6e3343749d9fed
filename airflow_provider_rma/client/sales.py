"""Methods of the client for customers, articles, invoices and their payments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from functools import partial
from typing import Any
from urllib.parse import urlencode

from airflow_provider_rma.client import endpoints
from airflow_provider_rma.client.base import BaseClient
from airflow_provider_rma.client.codecs.wire import ContentType
from airflow_provider_rma.client.endpoint import Endpoint, format_minute
from airflow_provider_rma.client.files import InvoiceFile
from airflow_provider_rma.client.stream import Entity, EntityStream
from airflow_provider_rma.exceptions import FieldProblem, InvalidInputError
from airflow_provider_rma.schemas.keys import normalize_key


class SalesClient(BaseClient):
    """Customers, articles, invoices, payments of invoices."""

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

    # ------------------------------------------------------------------ payments of invoices

    def create_invoice_payment(
        self, number: str, entity: Mapping[str, Any], *, content_type: ContentType | None = None
    ) -> Entity | None:
        """Post one payment of an invoice, once. Discounts and charges are payments on their accounts (documented).

        :param number: of the invoice. If two invoices have it, RMA decides which one is paid.
        :param entity: made by ``PaymentSchema().from_user``.
        :returns: the posted payment as the service states it; None if it states none (204).
        :raises InvalidInputError: the payment names another invoice; nothing was sent.
        :raises RejectedError: the service refused it.
        :raises ConnectionNotMadeError: nothing was sent.
        :raises OutcomeUnknownError: only reading can tell whether it was booked.
        """
        named = entity.get("invnumber")
        if named and normalize_key(str(named)) != normalize_key(number):
            problem = FieldProblem(
                "payment: invnumber", "names another invoice than the one to be paid", "leave it out"
            )
            raise InvalidInputError([problem])
        return self._pay(endpoints.PAY_INVOICE, number, entity, content_type)

    def list_payments(self, *, processed: datetime, content_type: ContentType | None = None) -> list[Entity]:
        """The payment list: payments of invoices since a time that this token has not marked as processed.

        Reading changes the service's state: a payment that is ``NEW`` is ``EVEN`` the next time, also if the response
        was lost and the read is tried again. Flags and marks belong to the token. Key payments on ``id`` and content,
        never on the flag.

        :param processed: payments changed after this time (inferred), down to the minute; without a zone it is Swiss
            time, in which the service reckons (inferred).
        """
        return self._list(endpoints.LIST_PAYMENTS, content_type, query={"processed": format_minute(processed)})

    def set_as_processed(self, ids: Iterable[int], *, content_type: ContentType | None = None) -> None:
        """Mark payments as processed, so that the payment list does not name them again to this token.

        Marking again does no harm (inferred). Without ids nothing is sent.

        :param ids: members ``id`` of payments.
        :raises InvalidInputError: one of them is not a positive integer; nothing was sent.
        """
        wanted = list(dict.fromkeys(ids))
        if any(isinstance(number, bool) or not isinstance(number, int) or number < 1 for number in wanted):
            problem = FieldProblem("ids", "holds something that is not a positive integer", "give ids of payments")
            raise InvalidInputError([problem])
        if wanted:
            endpoint = endpoints.SET_AS_PROCESSED
            body = urlencode([("id", str(number)) for number in wanted]).encode("ascii")
            self._post_form(endpoint, (body, endpoint.form or ""), content_type)

    # ------------------------------------------------------------------ invoices as documents

    def open_invoice_pdf(
        self, number: str, *, formname: str | None = None, language_code: str | None = None
    ) -> InvoiceFile:
        """An invoice as PDF; a context manager. The content type is exactly ``application/pdf``, and it is whole.

        :param formname: template, e.g. ``invoice``, ``remittance_voucher``, ``packing_list``, ``pick_list``
            (documented); None leaves it to the service.
        :param language_code: language of the template; None leaves it to the service.
        :raises NotFoundError: if the service itself answers 404.
        """
        return self._open_file(endpoints.GET_INVOICE_PDF, number, formname, language_code)

    def open_invoice_html(
        self, number: str, *, formname: str | None = None, language_code: str | None = None
    ) -> InvoiceFile:
        """An invoice as HTML; like :meth:`open_invoice_pdf`.

        A sign-in page of a proxy is HTML too: it can be told from an invoice by its content only.
        """
        return self._open_file(endpoints.GET_INVOICE_HTML, number, formname, language_code)

    def _open_file(
        self, endpoint: Endpoint, number: str, formname: str | None, language_code: str | None
    ) -> InvoiceFile:
        query = {"formname": formname, "language_code": language_code}
        request = endpoint.request(self.config.content_type, segments={"invnumber": number}, query=query)
        return self._transport.read(request, partial(InvoiceFile, request))


def _invoice_query(
    from_date: date, to_date: date | None, status: str | None, customer_number: str | None
) -> dict[str, Any]:
    return {"from": from_date, "to": to_date, "status": status, "customer_number": customer_number}
