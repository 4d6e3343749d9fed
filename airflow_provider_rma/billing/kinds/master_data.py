"""The tenant's master data, as far as invoices depend on them."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from airflow_provider_rma.billing.kinds.customer import NOT_MANAGED, differing_fields
from airflow_provider_rma.billing.kinds.invoice_document import InvoiceDocument
from airflow_provider_rma.billing.numbers import normalize_number, quote_number
from airflow_provider_rma.client.client import RunMyAccountsClient
from airflow_provider_rma.exceptions import NotFoundError
from airflow_provider_rma.schemas.customer import CustomerSchema

log = logging.getLogger(__name__)

_SCHEMA = CustomerSchema()


@dataclass(frozen=True)
class MasterData:
    """Numbers that exist in the tenant; None where they could not be read and are therefore not checked.

    :param records: customers as RMA shows them, by number, of whom invoices carry full records.
    """

    customers: frozenset[str] | None = None
    parts: frozenset[str] | None = None
    accounts: frozenset[str] | None = None
    records: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @cached_property
    def _customer_spellings(self) -> dict[str, str]:
        return {normalize_number(number): number for number in self.customers or ()}

    @cached_property
    def _part_spellings(self) -> dict[str, str]:
        return {normalize_number(number): number for number in self.parts or ()}

    def problems(self, document: InvoiceDocument, refused_customers: Mapping[str, str]) -> Iterator[str]:
        """List the reasons for which the tenant's master data do not bear a document."""
        invoice = document.invoice
        number = document.customernumber
        if self.customers is not None and number not in self.customers:
            yield from self._customer_problems(number, bool(invoice.get("customer")), refused_customers)
        if self.parts is not None:
            for index, line in enumerate(invoice.get("parts", ())):
                if line["partnumber"] not in self.parts:
                    spelling = self._part_spellings.get(normalize_number(line["partnumber"]))
                    remedy = (
                        f"RMA writes it {quote_number(spelling, 'otherwise')}, use that"
                        if spelling
                        else "have it created, or use one that exists"
                    )
                    article = quote_number(line["partnumber"])
                    yield f"parts[{index}].partnumber: there is no article {article} in RMA; {remedy}"
        if self.accounts is not None:
            for path, account in _list_accounts(invoice):
                if account not in self.accounts:
                    yield (
                        f"{path}: there is no account {quote_number(account)} in RMA; use one of the tenant's chart of "
                        "accounts"
                    )

    def _customer_problems(self, number: str, is_sent: bool, refused_customers: Mapping[str, str]) -> Iterator[str]:
        """List the reasons for which a customer whom RMA does not list must not be billed.

        Whether RMA tells upper from lower case here is not documented. So a number is only taken for an existing one if
        it is written the same, and one that is written otherwise never creates a second customer.

        :param is_sent: whether the invoice brings its customer.
        """
        key = normalize_number(number)
        spelling, customer = self._customer_spellings.get(key), quote_number(number)
        if spelling is not None:
            yield (
                f"customernumber: there is no customer {customer} in RMA; RMA writes it "
                f"{quote_number(spelling, 'otherwise')}, use that"
            )
        elif not is_sent:
            causes = (cause for refused, cause in refused_customers.items() if normalize_number(refused) == key)
            cause = next(causes, None)
            yield (
                f"customernumber: customer {customer} was refused ({cause})"
                if cause
                else f"customernumber: there is no customer {customer} in RMA; create the customer first"
            )


def read_master_data(client: RunMyAccountsClient, wanted: Collection[str] = ()) -> MasterData:
    """Read the numbers of customers, articles and accounts.

    A tenant's chart of accounts comes from an endpoint that is not documented (seen in client code); where it does not
    exist, accounts are not checked.

    :param wanted: numbers of customers whose whole records are kept.
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


def _list_accounts(invoice: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """List every account number that an invoice names, with its path; empty and ``0`` leave the choice to RMA."""
    for name in ("ar_accno", "payment_accno"):
        if invoice.get(name):
            yield name, invoice[name]
    for entries, name in (("incomeentries", "income_accno"), ("taxentries", "tax_accno"), ("parts", "income_accno")):
        for index, entry in enumerate(invoice.get(entries, ())):
            if entry.get(name) not in (None, "", "0"):
                yield f"{entries}[{index}].{name}", entry[name]


def describe_overwrite(customer: Mapping[str, Any], booked: Mapping[str, Any] | None) -> dict[str, Any]:
    """Describe what sending a full customer with an invoice does to the master data.

    :param customer: the customer as it would be sent.
    :param booked: the customer as RMA shows it, None if there is none of that number.
    :returns: ``action`` (``create``, ``overwrite`` or ``none``), and the names of the fields that would be ``changed``
        or ``lost``: RMA replaces the whole record (documented), so what is left out of it is gone.
    """
    number = str(customer["customernumber"])
    if booked is None:
        return {"customernumber": number, "action": "create", "changed": [], "lost": []}
    changed = differing_fields(customer, booked)
    held = {name for name, value in _SCHEMA.writable(booked).items() if value not in ("", [])}
    lost = sorted(held - set(customer) - NOT_MANAGED)
    action = "overwrite" if changed or lost else "none"
    return {"customernumber": number, "action": action, "changed": changed, "lost": lost}
