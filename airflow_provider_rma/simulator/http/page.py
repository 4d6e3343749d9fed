"""The page at ``/``: a tenant's books for a person to look at.

Collects what is shown; ``page.html.j2`` says how.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from airflow_provider_rma.simulator.books.books import Books
from airflow_provider_rma.simulator.http.wire import replace_unprintable

_VOUCHERS = 10
_OPEN_INVOICES = 25
_CLASSES = {
    "1": "Assets",
    "2": "Liabilities and equity",
    "3": "Revenue",
    "4": "Materials, goods and services",
    "5": "Staff",
    "6": "Other operating expenses",
    "7": "Secondary activities",
    "8": "Extraordinary and taxes",
    "9": "Closing",
}
_KINDS = {"ar": "Invoice", "ap": "Purchase", "gl": "Voucher"}


@dataclass(frozen=True)
class _Figure:
    label: str
    amount: Decimal
    note: str
    is_alarm: bool = False


@dataclass(frozen=True)
class _AccountClass:
    title: str
    total: Decimal
    rows: list[dict[str, Any]]


@dataclass(frozen=True)
class _OpenInvoice:
    number: str
    customer: str
    due: str | None
    days_over: int
    amount: Decimal
    paid: Decimal

    @property
    def open(self) -> Decimal:
        return self.amount - self.paid


@dataclass(frozen=True)
class _Voucher:
    kind: str
    number: str
    day: str
    texts: list[str]
    postings: list[dict[str, Any]]


def render_page(books: Books, tenant: str, today: date) -> str:
    """Render the whole page.

    :param today: the day that decides what is overdue.
    """
    balances = books.balances()
    contra = {account["accno"] for account in books.accounts() if account["contra"]}
    names = {customer["customernumber"]: customer["name"] for customer in books.customers()}
    open_invoices = _list_open_invoices(books, names, today)
    return _TEMPLATE.render(
        company=books.tenant.get("company") or tenant,
        tenant=tenant,
        today=today.isoformat(),
        currency=books.tenant["default_currency"],
        closed=books.tenant.get("closedto"),
        figures=_compute_figures(books, balances, open_invoices),
        account_classes=_group_accounts(balances, contra),
        open_invoices=open_invoices,
        open_limit=_OPEN_INVOICES,
        vouchers=[_describe_voucher(voucher, names) for voucher in books.latest_vouchers(_VOUCHERS)],
    )


def format_money(amount: Decimal) -> str:
    """Format an amount in Swiss notation: ``1'234.50``, with a true minus sign."""
    places = max(2, -int(amount.normalize().as_tuple().exponent))
    return f"{amount:,.{places}f}".replace(",", "'").replace("-", "\N{MINUS SIGN}")


def _compute_figures(books: Books, balances: list[dict[str, Any]], open_invoices: list[_OpenInvoice]) -> list[_Figure]:
    accounts = {account["accno"]: account for account in books.accounts()}
    sums = dict.fromkeys("ALQIE", Decimal(0))
    for row in balances:
        account = accounts[row["accno"]]
        sums[account["category"]] += -row["amount"] if account["contra"] else row["amount"]
    result = sums["I"] - sums["E"]
    gap = sums["A"] - sums["L"] - sums["Q"] - result
    receivable = sum((invoice.open for invoice in open_invoices), Decimal(0))
    return [
        _Figure("Receivable", receivable, f"{len(open_invoices)} open invoices"),
        _Figure("Revenue", sums["I"], "all years"),
        _Figure("Result", result, "revenue less expenses"),
        _Figure("Debits less credits", gap, "the books are out of balance" if gap else "in balance", bool(gap)),
    ]


def _group_accounts(balances: list[dict[str, Any]], contra: set[str]) -> list[_AccountClass]:
    """Group balances by the first digit of the account, with the sum of each group."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in balances:
        groups.setdefault(row["accno"][0], []).append(row)
    return [
        _AccountClass(
            f"{digit} {_CLASSES.get(digit, 'Other')}",
            sum((-row["amount"] if row["accno"] in contra else row["amount"] for row in rows), Decimal(0)),
            rows,
        )
        for digit, rows in sorted(groups.items())
    ]


def _list_open_invoices(books: Books, names: Mapping[str, str], today: date) -> list[_OpenInvoice]:
    """List the open invoices, those due first on top."""
    invoices = books.open_invoices(today)
    invoices.sort(key=lambda invoice: (invoice["duedate"] or invoice["transdate"], invoice["id"]))
    result = []
    for invoice in invoices:
        due, number = invoice["duedate"], invoice.get("customernumber") or ""
        overdue = invoice["status"] == "OVERDUE" and due
        days_over = (today - date.fromisoformat(due)).days if overdue else 0
        result.append(
            _OpenInvoice(
                invoice["invnumber"], names.get(number, number), due, days_over, invoice["amount"], invoice["paid"]
            )
        )
    return result


def _describe_voucher(document: Mapping[str, Any], names: Mapping[str, str]) -> _Voucher:
    party = document.get("customernumber") or document.get("vendornumber") or ""
    texts = [names.get(party, party), document.get("description") or "", document.get("department") or ""]
    is_credit_note = document["module"] == "ar" and document["amount"] < 0
    return _Voucher(
        "Credit note" if is_credit_note else _KINDS[document["module"]],
        document["number"],
        document["transdate"],
        [text for text in texts if text],
        document["postings"],
    )


def _format_day(iso: str) -> str:
    year, month, day = iso[:10].split("-")
    return f"{day}.{month}.{year}"


def _load_template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        finalize=lambda value: replace_unprintable(value) if type(value) is str else value,
    )
    environment.filters |= {"money": format_money, "swiss_day": _format_day}
    return environment.get_template("page.html.j2")


_TEMPLATE = _load_template()
