"""What RMA holds under a number, reduced to what is compared and kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Self

from airflow_provider_rma.billing.numbers import normalize_number


@dataclass(frozen=True)
class BookedDocument:
    """A document in the books.

    :param document_id: RMA's id of it, None where RMA does not tell.
    :param net: total without tax as booked, in ``currency``.
    :param gross: total with tax as booked, in ``currency``.
    """

    number: str
    document_id: str | None = None
    net: Decimal | None = None
    gross: Decimal | None = None
    currency: str | None = None

    @property
    def key(self) -> str:
        """The number as it is compared."""
        return normalize_number(self.number)

    def is_among(self, others: Iterable[BookedDocument]) -> bool:
        """Whether this is one of the others, which a list holds twice. Without RMA's id nobody can tell."""
        return self.document_id is not None and any(self.document_id == other.document_id for other in others)


@dataclass(frozen=True)
class BookedInvoice(BookedDocument):
    """An invoice or credit note in the books.

    :param customernumber: number of the customer who is billed, None where RMA does not tell.
    """

    transdate: date | None = None
    customernumber: str | None = None

    @classmethod
    def from_rma(cls, entity: Mapping[str, Any]) -> Self:
        """Reduce an invoice as read from RMA (:meth:`InvoiceSchema.from_wire`)."""
        document_id = entity.get("id")
        return cls(
            number=str(entity.get("invnumber") or ""),
            document_id=None if document_id is None else str(document_id),
            net=entity.get("netamount"),
            gross=entity.get("amount"),
            currency=str(entity.get("currency") or "CHF"),
            transdate=entity.get("transdate"),
            customernumber=booked_customer(entity),
        )


def booked_customer(entity: Mapping[str, Any]) -> str | None:
    """Return the customer number of an invoice as read from RMA, None if RMA does not tell."""
    customer = entity.get("customer") or {}
    return customer.get("customernumber") or entity.get("customernumber") or None
