"""Decide, by reading only, what is to be done with each document."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from itertools import islice
from typing import Any

import pendulum

from airflow_provider_rma.billing.compare import Comparison, compare
from airflow_provider_rma.billing.documents import Document, Rules
from airflow_provider_rma.billing.journal import OPEN, Entry, Journal, State
from airflow_provider_rma.billing.outcomes import Outcome, Row
from airflow_provider_rma.billing.spool import Hit, Spool
from airflow_provider_rma.client.client import RunMyAccountsClient
from airflow_provider_rma.exceptions import NotFoundError

log = logging.getLogger(__name__)

#: Bounds of "all invoices": without ``from`` the service starts at its closing date, without ``to`` it ends today.
FIRST_DAY = date(1900, 1, 1)
LAST_DAY = date(2999, 12, 31)


@dataclass(frozen=True)
class Policy:
    """How a run bills.

    :param rules: what is accepted as a document.
    :param closed_until: last day of the closed period (inclusive), None if not known.
    :param total_deadline: seconds after which a POST is given up.
    :param settle_time: seconds after giving up within which the service may still carry a request out.
    :param max_count: documents that one run may send.
    :param max_amount: sum of the amounts (without sign) that one run may send, in CHF.
    :param check_master_data: whether customers, articles and accounts are looked up before anything is sent.
    """

    rules: Rules = field(default_factory=Rules)
    closed_until: date | None = None
    total_deadline: float = 120.0
    settle_time: float = 300.0
    max_count: int = 2_000
    max_amount: Decimal = Decimal(1_000_000)
    check_master_data: bool = True


@dataclass(frozen=True)
class MasterData:
    """Numbers that exist in the tenant; None where they could not be read and are therefore not checked."""

    customers: frozenset[str] | None = None
    parts: frozenset[str] | None = None
    accounts: frozenset[str] | None = None


@dataclass
class Planner:
    """Decides about every document of a spool.

    :param refused_customers: reasons by number of customers who were refused before: their invoices name the cause.
    """

    spool: Spool
    client: RunMyAccountsClient
    journal: Journal
    policy: Policy
    refused_customers: Mapping[str, str] = field(default_factory=dict)

    def run(self) -> float | None:
        """Decide.

        :returns: when the last document that is in doubt resolves itself (seconds since 1970), None without any doubt.
        """
        self._refuse_repeated()
        # Only what is absent from a list read after its settle time is proven absent.
        started = self.journal.now()
        doubtful = {entry.key: entry for entry in self.journal.open_entries()}
        self._read_books(doubtful)
        retry_at = self._settle_others(doubtful, started)
        creating = False
        for documents in _chunks(self.spool.pending(), 200):
            entries = self.journal.get(document.key for document in documents)
            for document in documents:
                entry = entries.get(document.key)
                row = self._decide(document, entry, started)
                if row is None:
                    self.spool.create(document.position)
                    creating = True
                else:
                    self.spool.settle(row)
                    if row.outcome == Outcome.UNKNOWN and entry is not None and entry.settles_at is not None:
                        retry_at = max(retry_at or 0.0, entry.settles_at)
        if creating and self.policy.check_master_data:
            self._check_master_data()
        return retry_at

    def _refuse_repeated(self) -> None:
        for number, positions in self.spool.repeated():
            where = ", ".join(map(str, positions))
            reason = (
                f"invnumber: {number} stands at positions {where} of this batch; "
                "keep the one that is meant, none of them is sent"
            )
            for position in positions:
                self.spool.settle(Row(position, number, Outcome.INVALID, (reason,)))

    def _read_books(self, doubtful: Mapping[str, Entry]) -> None:
        """Read the whole list once and keep what it holds under the numbers of this run."""
        if not doubtful and next(self.spool.pending(), None) is None:
            return
        read = 0
        for booked in self.client.iter_invoices(from_date=FIRST_DAY, to_date=LAST_DAY):
            read += 1
            number = str(booked.get("invnumber") or "")
            if self.spool.carries(number) or number.casefold() in doubtful:
                document = self.spool.document(number)
                self.spool.add_hit(to_hit(booked, compare(document, booked) if document else None))
        log.info("Read %d invoices from the books.", read)

    def _settle_others(self, doubtful: Mapping[str, Entry], started: float) -> float | None:
        """Resolve what earlier runs left open and this run's input does not carry.

        :returns: when the last one resolves itself that cannot be resolved yet, in seconds since 1970.
        """
        retry_at = None
        for key, entry in doubtful.items():
            if self.spool.carries(entry.number):
                continue
            hits = self.spool.hits(key)
            if hits:
                record_created(self.journal, entry, hits[0], note="found by a later run")
                log.info("Invoice %s of an earlier run is in the books.", entry.number)
            elif entry.settles_at is not None and entry.settles_at > started:
                retry_at = max(retry_at or 0.0, entry.settles_at)
            elif self.journal.record(entry, State.RELEASED, note="proven absent by a later run"):
                log.warning(
                    "Invoice %s of an earlier run (%s) was never booked; send it again.", entry.number, entry.run
                )
        return retry_at

    def _decide(self, document: Document, entry: Entry | None, started: float) -> Row | None:
        """The row of a document that is not to be sent, None for one that is."""
        hits = self.spool.hits(document.key)
        if hits:
            return self._decide_booked(document, entry, hits)
        if entry is not None and entry.state == State.CREATED:
            return Row(
                document.position,
                document.number,
                Outcome.CONFLICT,
                (
                    f"booked by run {entry.run or '?'} and no longer in the books under this number; "
                    "find out who removed or renamed it before it is billed again",
                ),
            )
        if entry is not None and entry.state in OPEN and (entry.settles_at or 0.0) > started:
            until = pendulum.from_timestamp(entry.settles_at or 0.0, tz="Europe/Zurich").format("YYYY-MM-DD HH:mm:ss")
            return Row(
                document.position,
                document.number,
                Outcome.UNKNOWN,
                (f"sent by run {entry.run or '?'} without a reliable answer, not in the books; settles at {until}",),
            )
        closed = self.policy.closed_until
        if closed is not None and document.invoice["transdate"] <= closed:
            return Row(
                document.position,
                document.number,
                Outcome.CLOSED_PERIOD,
                (
                    f"transdate: {document.invoice['transdate']} lies in the period closed until {closed}; "
                    "date it later, or have the period opened and change closed_until of the connection",
                ),
            )
        return None

    def _decide_booked(self, document: Document, entry: Entry | None, hits: list[Hit]) -> Row:
        if len(hits) > 1:
            ids = ", ".join(hit.document_id or "?" for hit in hits)
            reason = f"{len(hits)} documents carry this number (ids {ids}); have all but one removed in RMA"
            return Row(document.position, document.number, Outcome.DUPLICATE, (reason,))
        hit = hits[0]
        if entry is None:
            self.journal.adopt(document.number, document.content_hash, **facts(hit))
        elif entry.state != State.CREATED:
            record_created(self.journal, entry, hit, note="found in the books")
        return booked_row(document, hit, Outcome.UNCHANGED)

    def _check_master_data(self) -> None:
        """Refuse documents whose customer, articles or accounts the tenant does not have."""
        master = read_master_data(self.client)
        for document in self.spool.to_create():
            problems = list(self._missing(document, master))
            if problems:
                self.spool.settle(Row(document.position, document.number, Outcome.INVALID, tuple(problems)))

    def _missing(self, document: Document, master: MasterData) -> Iterator[str]:
        invoice = document.invoice
        number = document.customernumber
        if not invoice.get("customer") and master.customers is not None and number not in master.customers:
            cause = self.refused_customers.get(number)
            yield (
                f"customernumber: customer {number} was refused ({cause})"
                if cause
                else f"customernumber: there is no customer {number} in RMA; create the customer first"
            )
        if master.parts is not None:
            for index, line in enumerate(invoice.get("parts", ())):
                if line["partnumber"] not in master.parts:
                    yield (
                        f"parts[{index}].partnumber: there is no article {line['partnumber']} in RMA; "
                        "have it created, or use one that exists"
                    )
        if master.accounts is not None:
            for path, account in _accounts(invoice):
                if account not in master.accounts:
                    yield f"{path}: there is no account {account} in RMA; use one of the tenant's chart of accounts"


def read_master_data(client: RunMyAccountsClient) -> MasterData:
    """Read the numbers of customers, articles and accounts.

    A tenant's chart of accounts comes from an endpoint that is not documented (seen in client code); where it does not
    exist, accounts are not checked.
    """
    customers = frozenset(str(customer["customernumber"]) for customer in client.list_customers())
    parts = frozenset(str(part["partnumber"]) for part in client.list_parts())
    try:
        accounts = frozenset(str(chart["accno"]) for chart in client.list_charts())
    except NotFoundError:
        log.warning("The service offers no chart of accounts: account numbers are not checked before sending.")
        return MasterData(customers, parts, None)
    return MasterData(customers, parts, accounts)


def to_hit(booked: Mapping[str, Any], comparison: Comparison | None) -> Hit:
    """A document as read from RMA, reduced to what a run needs."""
    document_id = booked.get("id")
    return Hit(
        number=str(booked.get("invnumber") or ""),
        document_id=None if document_id is None else str(document_id),
        net=booked.get("netamount"),
        gross=booked.get("amount"),
        currency=str(booked.get("currency") or "CHF"),
        comparison=comparison,
    )


def booked_row(document: Document, hit: Hit, outcome: Outcome, *reasons: str) -> Row:
    """The row of a document that is in the books: ``outcome`` if it is as meant, else ``conflict``."""
    comparison = hit.comparison or Comparison(unchecked=("everything",))
    texts = (f"texts that differ in RMA: {', '.join(comparison.texts)}",) if comparison.texts else ()
    return Row(
        document.position,
        document.number,
        Outcome.CONFLICT if comparison.differences else outcome,
        comparison.differences + texts + reasons,
        document_id=hit.document_id,
        net=hit.net,
        gross=hit.gross,
        currency=hit.currency,
        unchecked=comparison.unchecked,
    )


def record_created(
    journal: Journal, entry: Entry, hit: Hit, *, note: str | None, content_hash: str | None = None
) -> None:
    """Record in the journal that a document is in the books."""
    journal.record(entry, State.CREATED, note=note, content_hash=content_hash, **facts(hit))


def facts(hit: Hit) -> dict[str, Any]:
    """What the journal keeps of a document in the books."""
    return {"document_id": hit.document_id, "net": hit.net, "gross": hit.gross, "currency": hit.currency}


def _accounts(invoice: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Every account number that an invoice names, with its path; empty and ``0`` leave the choice to RMA."""
    for name in ("ar_accno", "payment_accno"):
        if invoice.get(name):
            yield name, invoice[name]
    for entries, name in (("incomeentries", "income_accno"), ("taxentries", "tax_accno"), ("parts", "income_accno")):
        for index, entry in enumerate(invoice.get(entries, ())):
            if entry.get(name) not in (None, "", "0"):
                yield f"{entries}[{index}].{name}", entry[name]


def _chunks(documents: Iterable[Document], size: int) -> Iterator[list[Document]]:
    iterator = iter(documents)
    while chunk := list(islice(iterator, size)):
        yield chunk
