"""Invoices and credit notes: how they are listed, looked up, compared, checked and sent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from airflow_provider_rma.billing.booked import BookedInvoice
from airflow_provider_rma.billing.kinds.base import Comparison, DocumentKind, Entity, MasterDataCheck
from airflow_provider_rma.billing.kinds.invoice_comparison import compare_invoice
from airflow_provider_rma.billing.kinds.invoice_document import InvoiceDocument, read_invoice
from airflow_provider_rma.billing.kinds.master_data import describe_overwrite, read_master_data
from airflow_provider_rma.billing.numbers import is_plain_number
from airflow_provider_rma.client.client import RunMyAccountsClient
from airflow_provider_rma.schemas.date_range import EARLIEST_DAY, LATEST_DAY

#: Bounds of "all invoices": without ``from`` the service starts at its closing date, without ``to`` it ends today.
#: They cover every day that any range of dates allows, so nothing that was sent is hidden.
FIRST_DAY = EARLIEST_DAY
LAST_DAY = LATEST_DAY


@dataclass(frozen=True)
class InvoiceKind(DocumentKind[InvoiceDocument]):
    """Invoices and credit notes of one tenant.

    :param refused_customers: reasons by number of customers who were refused before: their invoices name the cause.
    """

    refused_customers: Mapping[str, str] = field(default_factory=dict)

    name: ClassVar[str] = "invoice"
    plural: ClassVar[str] = "invoices"
    number_field: ClassVar[str] = "invnumber"

    def read(self, record: Mapping[str, Any], position: int) -> InvoiceDocument:
        """Validate a record."""
        return read_invoice(record, position, self.policy.rules)

    def from_json(self, position: int, values: Mapping[str, Any]) -> InvoiceDocument:
        """Read a document of a plan."""
        return InvoiceDocument.from_json(position, values)

    def list_booked(self) -> Iterable[Entity]:
        """Read the whole list."""
        return list_booked_invoices(self.client)

    def get_booked(self, number: str) -> Entity:
        """Ask for one number."""
        return self.client.get_invoice(number)

    def find_booked(self, document: InvoiceDocument) -> list[Entity]:
        """Find a document that was sent: by its number, or by its date where no path can carry the number."""
        if is_plain_number(document.number):
            return super().find_booked(document)
        day = document.booking_date
        entities = self.client.iter_invoices(from_date=day, to_date=day)
        found: list[tuple[Entity, BookedInvoice]] = []
        for entity in entities:
            booked = self.to_booked(entity)
            if booked.key == document.key and not booked.is_among(other for _, other in found):
                found.append((entity, booked))
        return [entity for entity, _ in found]

    def to_booked(self, entity: Entity) -> BookedInvoice:
        """Reduce an invoice as read from RMA."""
        return BookedInvoice.from_rma(entity)

    def compare(self, document: InvoiceDocument, entity: Entity) -> Comparison[InvoiceDocument]:
        """Compare a document with what is booked under its number."""
        return compare_invoice(document, entity)

    def check_master_data(
        self, documents: Callable[[], Iterator[InvoiceDocument]]
    ) -> Iterator[MasterDataCheck[InvoiceDocument]]:
        """Find documents whose customer, articles or accounts the tenant does not have."""
        sent_customers: frozenset[str] = frozenset()
        if self.policy.rules.send_customers:
            sent_customers = frozenset(
                document.customernumber for document in documents() if document.invoice.get("customer")
            )
        master_data = read_master_data(self.client, sent_customers)
        for document in documents():
            customer = document.invoice.get("customer")
            effect = None
            if customer:
                effect = describe_overwrite(customer, master_data.records.get(customer["customernumber"]))
            problems = tuple(master_data.problems(document, self.refused_customers))
            yield MasterDataCheck(document, problems, effect)

    def send(self, document: InvoiceDocument) -> None:
        """POST the invoice."""
        self.client.create_invoice(document.tagged if self.policy.write_recovery_tag else document.invoice)


def list_booked_invoices(client: RunMyAccountsClient) -> Iterable[Entity]:
    """Read all invoices of all times, in flat memory: in XML, whatever the connection says."""
    return client.iter_invoices(from_date=FIRST_DAY, to_date=LAST_DAY, content_type="xml")
