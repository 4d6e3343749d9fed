"""Read what the books and the master data of a tenant hold."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from airflow_provider_rma.billing.comparison import Comparison, compare
from airflow_provider_rma.billing.journal.model import JournalRow
from airflow_provider_rma.billing.kinds.invoice import Document
from airflow_provider_rma.billing.numbers import is_plain_number, normalize_number
from airflow_provider_rma.billing.working_set import Hit, WorkingSet
from airflow_provider_rma.client.client import RunMyAccountsClient
from airflow_provider_rma.exceptions import NotFoundError

log = logging.getLogger(__name__)

#: Bounds of "all invoices": without ``from`` the service starts at its closing date, without ``to`` it ends today.
FIRST_DAY = date(1900, 1, 1)
LAST_DAY = date(2999, 12, 31)


def read_list(client: RunMyAccountsClient, spool: WorkingSet, doubtful: Mapping[str, JournalRow]) -> None:
    """Read the whole list once and keep what it holds under the numbers of a run.

    :param doubtful: journal rows whose document may or may not be in the books, by business key.
    """
    read = 0
    # XML whatever the connection says: it is read in flat memory.
    for booked in client.iter_invoices(from_date=FIRST_DAY, to_date=LAST_DAY, content_type="xml"):
        read += 1
        number = str(booked.get("invnumber") or "")
        if spool.carries(number) or normalize_number(number) in doubtful:
            document = spool.document(number)
            spool.add_hit(to_hit(booked, compare(document, booked) if document else None))
    log.info("Read %d invoices from the books.", read)


def look_up(
    client: RunMyAccountsClient, spool: WorkingSet, doubtful: Mapping[str, JournalRow], known: Iterable[str]
) -> bool:
    """Ask for each number of a run by itself, and keep what the books hold.

    An answer "not found" proves absence only for numbers that travel safely in a path, and only while a number known to
    exist is found in the same way.

    :param known: numbers that should be in the books, tried in turn.
    :returns: whether absence is proven this way; if not, the whole list has to be read.
    """
    numbers = {document.key: document.number for document in spool.pending()}
    numbers |= {key: entry.number for key, entry in doubtful.items()}
    if not all(is_plain_number(number) for number in numbers.values()):
        log.info("Some numbers hold characters that a look-up cannot be trusted with: reading the whole list instead.")
        return False
    if not _finds_known(client, known):
        log.info("No number known to exist was found by a look-up: reading the whole list instead.")
        return False
    for number in numbers.values():
        with suppress(NotFoundError):
            booked = client.get_invoice(number)
            document = spool.document(number)
            spool.add_hit(to_hit(booked, compare(document, booked) if document else None))
    log.info("Looked %d numbers up in the books.", len(numbers))
    return True


def _finds_known(client: RunMyAccountsClient, known: Iterable[str]) -> bool:
    for number in known:
        if is_plain_number(number):
            with suppress(NotFoundError):
                client.get_invoice(number)
                return True
    return False


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


@dataclass(frozen=True)
class MasterData:
    """Numbers that exist in the tenant; None where they could not be read and are therefore not checked.

    :param records: customers as RMA shows them, by number, of whom invoices carry full records.
    """

    customers: frozenset[str] | None = None
    parts: frozenset[str] | None = None
    accounts: frozenset[str] | None = None
    records: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def missing(self, document: Document, refused_customers: Mapping[str, str]) -> Iterator[str]:
        """Why the tenant's master data do not bear a document."""
        invoice = document.invoice
        number = document.customernumber
        if not invoice.get("customer") and self.customers is not None and number not in self.customers:
            cause = refused_customers.get(number)
            yield (
                f"customernumber: customer {number} was refused ({cause})"
                if cause
                else f"customernumber: there is no customer {number} in RMA; create the customer first"
            )
        if self.parts is not None:
            for index, line in enumerate(invoice.get("parts", ())):
                if line["partnumber"] not in self.parts:
                    yield (
                        f"parts[{index}].partnumber: there is no article {line['partnumber']} in RMA; "
                        "have it created, or use one that exists"
                    )
        if self.accounts is not None:
            for path, account in _accounts(invoice):
                if account not in self.accounts:
                    yield f"{path}: there is no account {account} in RMA; use one of the tenant's chart of accounts"


def read_master_data(client: RunMyAccountsClient, wanted: Collection[str] = ()) -> MasterData:
    """Read the numbers of customers, articles and accounts.

    :param wanted: numbers of customers whose whole records are kept.

    A tenant's chart of accounts comes from an endpoint that is not documented (seen in client code); where it does not
    exist, accounts are not checked.
    """
    listed = client.list_customers()
    customers = frozenset(str(customer["customernumber"]) for customer in listed)
    records = {customer["customernumber"]: customer for customer in listed if customer["customernumber"] in wanted}
    parts = frozenset(str(part["partnumber"]) for part in client.list_parts())
    try:
        accounts = frozenset(str(chart["accno"]) for chart in client.list_charts())
    except NotFoundError:
        log.warning("The service offers no chart of accounts: account numbers are not checked before sending.")
        return MasterData(customers, parts, None, records)
    return MasterData(customers, parts, accounts, records)


def _accounts(invoice: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Every account number that an invoice names, with its path; empty and ``0`` leave the choice to RMA."""
    for name in ("ar_accno", "payment_accno"):
        if invoice.get(name):
            yield name, invoice[name]
    for entries, name in (("incomeentries", "income_accno"), ("taxentries", "tax_accno"), ("parts", "income_accno")):
        for index, entry in enumerate(invoice.get(entries, ())):
            if entry.get(name) not in (None, "", "0"):
                yield f"{entries}[{index}].{name}", entry[name]
