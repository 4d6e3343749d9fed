"""The page at ``/``: a tenant's books for a person to look at. Plain HTML and CSS, nothing loaded from elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from airflow_provider_rma.simulator.books.books import Books
from airflow_provider_rma.simulator.http.page_style import STYLE
from airflow_provider_rma.simulator.http.wire import escape

Values = Mapping[str, Any]

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


def render(books: Books, tenant: str, today: date) -> str:
    """The whole page.

    :param today: the day that decides what is overdue.
    """
    company = books.tenant.get("company") or tenant
    balances = books.balances()
    open_invoices = books.open_invoices(today)
    names = {one["customernumber"]: one["name"] for one in books.customers()}
    closed = books.tenant.get("closedto")
    state = f"closed up to {_day(closed)}" if closed else "no closed period"
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{escape(str(company))}: books of {escape(tenant)}</title>
<style>{STYLE}</style>
</head>
<body>
<header>
<p class="kicker">Simulated Run my Accounts · tenant <strong>{escape(tenant)}</strong></p>
<h1 translate="no">{escape(str(company))}</h1>
<p class="state">{_day(today.isoformat())} · amounts in {escape(books.tenant["default_currency"])} · {state}</p>
{_figures(books, balances, open_invoices)}
<nav aria-label="Sections"><a href="#accounts">Accounts</a> <a href="#open">Open invoices</a>
<a href="#vouchers">Latest vouchers</a></nav>
</header>
<main>
<div>
{_accounts_section(books, balances)}
{_open_section(open_invoices, names, today)}
</div>
{_vouchers_section(books, names)}
</main>
</body>
</html>
"""


def money(amount: Decimal) -> str:
    """An amount as it is written in Switzerland: ``1'234.50``, with a true minus sign."""
    places = max(2, -int(amount.normalize().as_tuple().exponent))
    return f"{amount:,.{places}f}".replace(",", "'").replace("-", "\N{MINUS SIGN}")


def _figures(books: Books, balances: Iterable[Values], open_invoices: list[dict[str, Any]]) -> str:
    category = {one["accno"]: (one["category"], one["contra"]) for one in books.accounts()}
    sums = dict.fromkeys("ALQIE", Decimal(0))
    for row in balances:
        kind, contra = category[row["accno"]]
        sums[kind] += -row["amount"] if contra else row["amount"]
    result = sums["I"] - sums["E"]
    gap = sums["A"] - sums["L"] - sums["Q"] - result
    receivable = sum((one["amount"] - one["paid"] for one in open_invoices), Decimal(0))
    figures = [
        ("Receivable", money(receivable), f"{len(open_invoices)} open invoices"),
        ("Revenue", money(sums["I"]), "all years"),
        ("Result", money(result), "revenue less expenses"),
        ("Debits less credits", money(gap), "in balance" if not gap else "the books are out of balance"),
    ]
    items = "".join(
        f"<div{' class=alarm' if label.startswith('Debits') and gap else ''}><dt>{label}</dt>"
        f"<dd>{value}<small>{note}</small></dd></div>"
        for label, value, note in figures
    )
    return f'<dl class="figures">{items}</dl>'


def _open_section(invoices: list[dict[str, Any]], names: Mapping[str, str], today: date) -> str:
    if not invoices:
        return _section("open", "Open invoices", '<p class="none">Nothing is open.</p>')
    shown = sorted(invoices, key=lambda one: (one["duedate"] or one["transdate"], one["id"]))[:_OPEN_INVOICES]
    rows = "".join(_open_row(one, names, today) for one in shown)
    table = f"""<div class="scroll"><table>
<thead><tr><th scope="col">Number</th><th scope="col">Customer</th><th scope="col">Due</th>
<th scope="col" class="n">Open</th></tr></thead>
<tbody>{rows}</tbody></table></div>"""
    rest = len(invoices) - len(shown)
    more = f'<p class="none">and {rest} more, due later</p>' if rest else ""
    return _section("open", "Open invoices", table + more)


def _open_row(one: Values, names: Mapping[str, str], today: date) -> str:
    due = one["duedate"]
    mark = ""
    if one["status"] == "OVERDUE" and due:
        days = (today - date.fromisoformat(due)).days
        mark = f'<span class="overdue">{days} day{"" if days == 1 else "s"} over</span>'
    number = one.get("customernumber") or ""
    part = f"<small>of {money(one['amount'])}</small>" if one["paid"] else ""
    return (
        f'<tr><th scope="row" translate="no">{escape(one["invnumber"])}</th>'
        f'<td translate="no">{escape(names.get(number, number))}</td><td>{_day(due) if due else "none"} {mark}</td>'
        f'<td class="n">{money(one["amount"] - one["paid"])}{part}</td></tr>'
    )


def _accounts_section(books: Books, balances: list[dict[str, Any]]) -> str:
    if not balances:
        return _section("accounts", "Accounts", '<p class="none">Nothing has been posted yet.</p>')
    contra = {one["accno"] for one in books.accounts() if one["contra"]}
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in balances:
        groups.setdefault(row["accno"][0], []).append(row)
    bodies = "".join(_account_class(digit, rows, contra) for digit, rows in sorted(groups.items()))
    table = f"""<div class="scroll"><table class="accounts">
<thead><tr><th scope="col">No.</th><th scope="col">Account</th><th scope="col" class="n">Balance</th></tr></thead>
{bodies}</table></div>
<p class="none">Assets and expenses are positive as debits; liabilities, equity and revenue as credits.</p>"""
    return _section("accounts", "Accounts", table)


def _account_class(digit: str, rows: list[dict[str, Any]], contra: set[str]) -> str:
    title = _CLASSES.get(digit, "Other")
    total = sum((-row["amount"] if row["accno"] in contra else row["amount"] for row in rows), Decimal(0))
    lines = "".join(
        f'<tr><th scope="row">{escape(row["accno"])}</th><td translate="no">{escape(row["description"])}</td>'
        f'<td class="n">{money(row["amount"])}</td></tr>'
        for row in rows
    )
    return (
        f'<tbody><tr class="class"><th scope="rowgroup" colspan="2">{digit} {title}</th>'
        f'<td class="n">{money(total)}</td></tr>{lines}</tbody>'
    )


def _vouchers_section(books: Books, names: Mapping[str, str]) -> str:
    vouchers = books.latest_vouchers(_VOUCHERS)
    if not vouchers:
        return _section("vouchers", "Latest vouchers", '<p class="none">Nothing has been posted yet.</p>')
    cards = "".join(_voucher(one, names) for one in vouchers)
    return _section("vouchers", "Latest vouchers", f'<div class="cards">{cards}</div>')


def _voucher(one: Values, names: Mapping[str, str]) -> str:
    party = one.get("customernumber") or one.get("vendornumber") or ""
    kind = "Credit note" if one["module"] == "ar" and one["amount"] < 0 else _KINDS[one["module"]]
    texts = [names.get(party, party), one.get("description") or "", one.get("department") or ""]
    rows = "".join(_posting_row(row) for row in one["postings"])
    return f"""<article><h3><span>{kind}</span> <b translate="no">{escape(one["number"])}</b></h3>
<p translate="no">{" · ".join([_day(one["transdate"]), *(escape(text) for text in texts if text)])}</p>
<table><thead><tr><th scope="col">Account</th><th scope="col" class="n">Debit</th><th scope="col" class="n">Credit</th>
</tr></thead><tbody>{rows}</tbody></table></article>"""


def _posting_row(row: Values) -> str:
    amount = row["amount"]
    debit, credit = ("", money(amount)) if amount >= 0 else (money(-amount), "")
    memo = f"<small>{escape(row['memo'])}</small>" if row.get("memo") else ""
    return (
        f'<tr><td translate="no"><b>{escape(row["accno"])}</b> {escape(row["account_description"])}{memo}</td>'
        f'<td class="n">{debit}</td><td class="n">{credit}</td></tr>'
    )


def _section(anchor: str, title: str, content: str) -> str:
    return f'<section id="{anchor}" aria-labelledby="h-{anchor}"><h2 id="h-{anchor}">{title}</h2>{content}</section>'


def _day(iso: str) -> str:
    year, month, day = iso[:10].split("-")
    return f'<time datetime="{iso[:10]}">{day}.{month}.{year}</time>'
