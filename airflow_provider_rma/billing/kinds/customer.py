"""Customers: created if they do not exist, and named fields of existing ones written.

RMA's POST creates or overwrites: what is left out of it is lost. So an existing customer is never written, unless
fields are named as managed; then only these fields of the customer as read are changed, all of it is written, and it is
read again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

from airflow_provider_rma.billing.booked import BookedDocument
from airflow_provider_rma.billing.kinds.base import Comparison, Document, DocumentKind, Entity
from airflow_provider_rma.billing.numbers import is_plain_number, read_number
from airflow_provider_rma.billing.outcomes import Outcome
from airflow_provider_rma.exceptions import ConfigurationError
from airflow_provider_rma.schemas.customer import CustomerSchema

_SCHEMA = CustomerSchema()

#: Fields that RMA sets itself or that identify the customer: never compared, never managed.
NOT_MANAGED = frozenset({"id", "customernumber", "contactId", "addressId", "chart", "paymentChart", "created"})


@dataclass(frozen=True)
class CustomerDocument(Document):
    """A valid customer, ready to be sent.

    :param customer: all of it, as it is sent.
    :param meant: the values that must be read back; all of ``customer`` if empty.
    """

    position: int
    customer: dict[str, Any]
    meant: dict[str, Any] = field(default_factory=dict)

    @property
    def number(self) -> str:
        """The customer number."""
        return str(self.customer["customernumber"])

    @property
    def customernumber(self) -> str:
        """The customer number."""
        return self.number

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 of what is sent."""
        text = json.dumps(_SCHEMA.to_wire(self.customer), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def sent_outcome(self) -> Outcome:
        """``updated`` where managed fields of an existing customer are written."""
        return Outcome.UPDATED if self.meant else Outcome.CREATED

    def to_json(self) -> dict[str, Any]:
        """Return the customer in RMA's form."""
        return {"wire": _SCHEMA.to_wire(self.customer)}

    def to_record(self) -> dict[str, Any]:
        """Return the customer."""
        return dict(self.customer)


@dataclass(frozen=True)
class CustomerKind(DocumentKind[CustomerDocument]):
    """Customers of one tenant.

    :param managed_fields: fields that are written to existing customers as well; none by default.
    :raises ConfigurationError: for a field that cannot be managed.
    """

    managed_fields: Sequence[str] = ()

    name: ClassVar[str] = "customer"
    plural: ClassVar[str] = "customers"
    number_field: ClassVar[str] = "customernumber"
    place: ClassVar[str] = "RMA"
    texts_label: ClassVar[str] = "differs in RMA, not managed"
    has_totals: ClassVar[bool] = False
    has_brakes: ClassVar[bool] = False
    overwrites: ClassVar[bool] = True

    def __post_init__(self) -> None:
        possible = set(_SCHEMA.fields) - NOT_MANAGED
        wrong = sorted(set(self.managed_fields) - possible)
        if wrong:
            raise ConfigurationError(
                f"managed_fields: {', '.join(wrong)} cannot be managed",
                advice=f"Use some of {', '.join(sorted(possible))}.",
            )

    def read(self, record: Mapping[str, Any], position: int) -> CustomerDocument:
        """Validate a record."""
        number = read_number(record, self.number_field)
        path = f"customer {number}" if number else f"record {position}"
        rules = self.policy.rules
        customer = _SCHEMA.from_user(
            record,
            path=path,
            input_timezone=rules.input_timezone,
            date_range=rules.date_range,
            notation=rules.notation,
        )
        return CustomerDocument(position, customer)

    def from_json(self, position: int, values: Mapping[str, Any]) -> CustomerDocument:
        """Read a customer of a plan."""
        return CustomerDocument(position, _SCHEMA.from_wire(values["wire"]))

    def list_booked(self) -> Iterable[Entity]:
        """Read all customers."""
        return self.client.list_customers()

    def get_booked(self, number: str) -> Entity:
        """Ask for one number."""
        return self.client.get_customer(number)

    def find_booked(self, document: CustomerDocument) -> list[Entity]:
        """Find a customer who was sent: by the number, or in the list where no path can carry the number."""
        if is_plain_number(document.number):
            return super().find_booked(document)
        return [entity for entity in self.list_booked() if self.to_booked(entity).key == document.key]

    def to_booked(self, entity: Entity) -> BookedDocument:
        """Reduce a customer as read from RMA to the number."""
        return BookedDocument(str(entity["customernumber"]))

    def compare(self, document: CustomerDocument, entity: Entity) -> Comparison[CustomerDocument]:
        """Compare a customer with the existing one; managed fields that differ are to be written."""
        differing = differing_fields(document.customer, entity)
        managed = {name: document.customer[name] for name in differing if name in self.managed_fields}
        update = None
        if managed:
            # What is left out is lost (documented), the day of creation too.
            created = {"created": entity["created"]} if entity.get("created") else {}
            update = CustomerDocument(document.position, _SCHEMA.writable(entity) | created | managed, managed)
        return Comparison(self.to_booked(entity), texts=tuple(differing), update=update)

    def verify(self, document: CustomerDocument, entity: Entity) -> Comparison[CustomerDocument]:
        """Compare a customer that was sent with the one read back."""
        differing = differing_fields(document.meant or document.customer, entity)
        differences = (f"saved otherwise than meant: {', '.join(differing)}",) if differing else ()
        return Comparison(self.to_booked(entity), differences)

    def send(self, document: CustomerDocument) -> None:
        """POST the customer."""
        self.client.save_customer(document.customer)

    @property
    def lanes(self) -> int:
        """One after the other."""
        return 1


def differing_fields(meant: Mapping[str, Any], booked: Mapping[str, Any]) -> list[str]:
    """List the fields that are meant to be otherwise than RMA shows them; what RMA does not show is not compared."""
    return [
        name
        for name, value in meant.items()
        if name not in NOT_MANAGED and name in booked and _comparable(value) != _comparable(booked[name])
    ]


def _comparable(value: object) -> object:
    """Return a text without regard to the kind and number of blanks."""
    return value.split() if isinstance(value, str) else value
