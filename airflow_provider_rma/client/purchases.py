"""Methods of the client for vendors, vendor invoices and their payments, and receipts.

RMA documents the entities and the payments; that vendors and vendor invoices can be written is inferred, so writing
them must be asked for with ``experimental=True``.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import IO, Any

from airflow_provider_rma.client import endpoints
from airflow_provider_rma.client.base import BaseClient
from airflow_provider_rma.client.codecs.wire import ContentType
from airflow_provider_rma.client.errors import wrong_checksum_error
from airflow_provider_rma.client.files import PreparedReceipt, UploadedReceipt
from airflow_provider_rma.client.stream import Entity, EntityStream
from airflow_provider_rma.exceptions import RejectedError


class PurchasesClient(BaseClient):
    """Vendors, vendor invoices ("payables"), their payments, receipts."""

    # ------------------------------------------------------------------ vendors

    def list_vendors(self, *, content_type: ContentType | None = None) -> list[Entity]:
        """All vendors (inferred)."""
        return self._list(endpoints.LIST_VENDORS, content_type)

    def get_vendor(self, number: str, *, content_type: ContentType | None = None) -> Entity:
        """One vendor by its number (inferred).

        :raises NotFoundError: if the service itself answers 404; it may not know this request at all.
        """
        return self._get(endpoints.GET_VENDOR, "vendornumber", number, content_type)

    def save_vendor(
        self, entity: Mapping[str, Any], *, experimental: bool = False, content_type: ContentType | None = None
    ) -> None:
        """Create a vendor, or overwrite the one of that number with all fields (inferred).

        :param entity: complete, made by ``VendorSchema().from_user``.
        :param experimental: must be true: RMA does not document this request.
        :raises ConfigurationError: ``experimental`` is not set; nothing was sent.
        """
        self._post(endpoints.SAVE_VENDOR, entity, content_type, experimental=experimental)

    # ------------------------------------------------------------------ vendor invoices

    def list_payables(
        self, *, from_date: date, to_date: date | None = None, content_type: ContentType | None = None
    ) -> list[Entity]:
        """Vendor invoices of a period, by invoice date.

        :param from_date: first day, inclusive; left out, the service would hide everything before its closing date.
        :param to_date: last day, inclusive (inferred); None is the service's today.
        """
        return self._list(endpoints.LIST_PAYABLES, content_type, query={"from": from_date, "to": to_date})

    def iter_payables(
        self, *, from_date: date, to_date: date | None = None, content_type: ContentType | None = None
    ) -> EntityStream:
        """Like :meth:`list_payables`, one at a time; with XML in flat memory."""
        return self._iterate(endpoints.LIST_PAYABLES, content_type, {"from": from_date, "to": to_date})

    def get_payable(self, number: str, *, content_type: ContentType | None = None) -> Entity:
        """One vendor invoice by the vendor's number (inferred).

        The path names no vendor: if two vendors use the number, RMA decides whose invoice comes. Look-ups that must be
        sure use :meth:`list_payables`.

        :raises NotFoundError: if the service itself answers 404; it may not know this request at all.
        """
        return self._get(endpoints.GET_PAYABLE, "invnumber", number, content_type)

    def create_payable(
        self, entity: Mapping[str, Any], *, experimental: bool = False, content_type: ContentType | None = None
    ) -> None:
        """Send one vendor invoice, once (inferred).

        The vendor inside overwrites the vendor of that number with all fields (inferred): send it complete.

        :param entity: made by ``PayableSchema().from_user``.
        :param experimental: must be true: RMA does not document this request.
        :raises ConfigurationError: ``experimental`` is not set; nothing was sent.
        :raises RejectedError: the service refused it.
        :raises ConnectionNotMadeError: nothing was sent.
        :raises OutcomeUnknownError: only reading can tell whether it was booked.
        """
        self._post(endpoints.CREATE_PAYABLE, entity, content_type, experimental=experimental)

    def create_payable_payment(
        self, number: str, entity: Mapping[str, Any], *, content_type: ContentType | None = None
    ) -> Entity | None:
        """Post one payment of a vendor invoice, once.

        :param number: of the vendor invoice. The path names no vendor: make sure that no two vendors use it.
        :param entity: made by ``PayablePaymentSchema().from_user``.
        :returns: the posted payment as the service states it (inferred); None if it states none (204).
        :raises RejectedError: the service refused it.
        :raises ConnectionNotMadeError: nothing was sent.
        :raises OutcomeUnknownError: only reading can tell whether it was booked.
        """
        return self._pay(endpoints.PAY_PAYABLE, number, entity, content_type)

    # ------------------------------------------------------------------ receipts

    def upload_receipt(
        self,
        content: bytes | IO[bytes],
        file_name: str,
        *,
        comment: str | None = None,
        content_type: ContentType | None = None,
    ) -> UploadedReceipt:
        """Upload a PDF or an image for the accountant, once.

        The same file again is no error: the service knows it by its content (409, documented).

        :param content: at most 25 MB; a file is read from where it stands.
        :param file_name: as the accountant sees it, without a folder.
        :param comment: for the accountant.
        :raises InvalidInputError: the type is not allowed, the file is empty or too large, or the name cannot be sent;
            nothing was sent.
        :raises RejectedError: the service refused it.
        :raises OutcomeUnknownError: no reliable response came, or the service states another checksum than the file's.
        """
        receipt = PreparedReceipt(content, file_name, comment)
        endpoint = endpoints.UPLOAD_RECEIPT
        try:
            entity = self._post_form(endpoint, receipt.encode(), content_type)
        except RejectedError as error:
            if error.status != 409:
                raise
            return UploadedReceipt(receipt.checksum, is_known=True)
        if entity is not None and not receipt.has_checksum(entity.get("checksum") or ""):
            raise wrong_checksum_error(endpoint.method, endpoint.path)
        return UploadedReceipt(receipt.checksum, entity=entity)
