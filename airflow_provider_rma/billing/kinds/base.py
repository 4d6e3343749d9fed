"""The abstract kind of document: everything in which one kind differs from another.

Planner, sender and run are written once over it. Adding a kind is adding a module beside this one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, ClassVar, Generic, TypeVar

from airflow_provider_rma.billing.booked import BookedDocument
from airflow_provider_rma.billing.numbers import normalize_number
from airflow_provider_rma.billing.outcomes import DocumentResult, Outcome
from airflow_provider_rma.billing.policy import Policy
from airflow_provider_rma.billing.totals import Totals
from airflow_provider_rma.client.client import RunMyAccountsClient
from airflow_provider_rma.exceptions import NotFoundError
from airflow_provider_rma.formatting import format_amount, format_count

Entity = Mapping[str, Any]


class Document(ABC):
    """A valid record, ready to be sent. The working set keeps it pickled, so it is validated once.

    :ivar position: position of its record in the input, from 1.
    """

    position: int

    @property
    @abstractmethod
    def number(self) -> str:
        """The number of the document."""

    @property
    @abstractmethod
    def content_hash(self) -> str:
        """SHA-256 of what is sent."""

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """Return the form in which a plan keeps the document, for :meth:`DocumentKind.from_json`."""

    @abstractmethod
    def to_record(self) -> dict[str, Any]:
        """Return a record of which :meth:`DocumentKind.read` makes this document again."""

    @property
    def key(self) -> str:
        """The number as it is compared."""
        return normalize_number(self.number)

    @property
    def currency(self) -> str:
        """Currency (ISO 4217)."""
        return "CHF"

    @property
    def customernumber(self) -> str | None:
        """Number of the customer whom the document is about."""
        return None

    @property
    def booking_date(self) -> date | None:
        """The day that must not lie in a closed period; None if no period matters."""
        return None

    @property
    def totals(self) -> Totals:
        """Net and gross amount as far as they follow from the document."""
        return Totals(None, None)

    @property
    def shape(self) -> tuple[str, ...]:
        """The properties that decide how RMA books it; the first document of each shape is sent alone."""
        return ()

    @property
    def sent_outcome(self) -> Outcome:
        """The outcome if it was sent, and is found as it was meant."""
        return Outcome.CREATED


D = TypeVar("D", bound=Document)


@dataclass(frozen=True)
class Comparison(Generic[D]):
    """A document beside what is booked under its number.

    :param differences: sentences that name a field which decides what is owed, free of personal data.
    :param texts: names of fields that differ without any consequence.
    :param unchecked: names of what could not be compared.
    :param update: the document that must be sent although something is booked, None if nothing must.
    """

    booked: BookedDocument
    differences: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()
    update: D | None = None


@dataclass(frozen=True)
class MasterDataCheck(Generic[D]):
    """A document held against the tenant's master data.

    :param problems: reasons for which it cannot be booked.
    :param customer_effect: changes that sending it makes to its customer, by names of fields; None if it makes none.
    """

    document: D
    problems: tuple[str, ...] = ()
    customer_effect: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class DocumentKind(ABC, Generic[D]):
    """One kind of document of one tenant, billed under a policy.

    :param client: the tenant's client.
    :cvar name: the kind's name in the journal, and of one document in sentences.
    :cvar plural: of several documents, in sentences, results and evidence.
    :cvar number_field: the field that holds the number.
    :cvar place: where a document is once it is sent, in sentences.
    :cvar texts_label: words before the names of fields that differ without consequence.
    :cvar has_totals: whether a run sums amounts.
    :cvar has_brakes: whether caps, mismatches and doubts stop a run.
    :cvar overwrites: whether sending replaces what is in the books under the number. Presence then proves nothing
        about what was sent, a refusal is no sign that it is there already, and what is gone may be created again.
    """

    client: RunMyAccountsClient
    policy: Policy

    name: ClassVar[str]
    plural: ClassVar[str]
    number_field: ClassVar[str]
    place: ClassVar[str] = "the books"
    texts_label: ClassVar[str] = "texts that differ in RMA"
    has_totals: ClassVar[bool] = True
    has_brakes: ClassVar[bool] = True
    overwrites: ClassVar[bool] = False

    # ------------------------------------------------------------------ from a record

    @abstractmethod
    def read(self, record: Mapping[str, Any], position: int) -> D:
        """Validate a record.

        :param position: position of the record in the input, from 1.
        :raises InvalidInputError: naming every field that is wrong, what is wrong with it and what to do.
        """

    @abstractmethod
    def from_json(self, position: int, values: Mapping[str, Any]) -> D:
        """Read the document that :meth:`Document.to_json` wrote into a plan."""

    # ------------------------------------------------------------------ in the books

    @abstractmethod
    def list_booked(self) -> Iterable[Entity]:
        """Read everything of this kind that the books hold, to the end of the list."""

    @abstractmethod
    def get_booked(self, number: str) -> Entity:
        """Ask for one number.

        :raises NotFoundError: if the service itself says that there is none.
        """

    def find_booked(self, document: D) -> list[Entity]:
        """Find what the books hold of a document that was sent."""
        try:
            return [self.get_booked(document.number)]
        except NotFoundError:
            return []

    @abstractmethod
    def to_booked(self, entity: Entity) -> BookedDocument:
        """Reduce an entity as read from RMA."""

    @abstractmethod
    def compare(self, document: D, entity: Entity) -> Comparison[D]:
        """Compare a document that was not sent yet with what is booked under its number."""

    def verify(self, document: D, entity: Entity) -> Comparison[D]:
        """Compare a document that was sent with what is booked under its number."""
        return self.compare(document, entity)

    def booked_result(self, document: D, comparison: Comparison[D], outcome: Outcome, *reasons: str) -> DocumentResult:
        """Return the result of a document that is booked: ``outcome`` if it is as meant, else ``conflict``."""
        booked = comparison.booked
        texts = (f"{self.texts_label}: {', '.join(comparison.texts)}",) if comparison.texts else ()
        return DocumentResult(
            document.position,
            document.number,
            Outcome.CONFLICT if comparison.differences else outcome,
            comparison.differences + texts + reasons,
            document_id=booked.document_id,
            net=booked.net,
            gross=booked.gross,
            currency=booked.currency or "CHF",
            unchecked=comparison.unchecked,
        )

    # ------------------------------------------------------------------ sending

    def check_master_data(self, documents: Callable[[], Iterator[D]]) -> Iterator[MasterDataCheck[D]]:
        """Hold documents that are to be sent against the tenant's customers, articles and accounts.

        :param documents: returns the documents, each time it is called.
        """
        return iter(())

    @abstractmethod
    def send(self, document: D) -> None:
        """Make the one request that books a document."""

    def exceeded_cap(self, count: int, amount: Decimal) -> str:
        """Return which cap on a run its documents exceed, empty if none.

        :param amount: sum of their amounts without sign, in CHF.
        """
        policy = self.policy
        if self.has_brakes and count > policy.max_count:
            return (
                f"{format_count(count)} documents are more than the {format_count(policy.max_count)} that max_count "
                "allows one run to send"
            )
        if self.has_brakes and amount > policy.max_amount:
            return (
                f"CHF {format_amount(amount)} is more than the CHF {format_amount(policy.max_amount)} that max_amount "
                "allows one run to send"
            )
        return ""

    @property
    def lanes(self) -> int:
        """Number of documents that may be under way at the same time."""
        return self.client.config.max_in_flight
