"""Lies about balances and about the chart of accounts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import ROUND_DOWN, Decimal

from tests.support.ledger.liar import FEBRUARY, HARMLESS, REFUSED, TAKEN, Asked, Change, Lie, lie, unseen
from tests.support.ledger.lies.changes import (
    account,
    added,
    amend_items,
    amended,
    amount,
    both,
    emptied,
    every,
    in_turn,
    items,
    member,
    of_book,
    on_account,
    plus,
    text,
    times,
    without,
)
from tests.support.ledger.lies.requests import (
    any_balance,
    at_time,
    balances,
    charts,
    closing,
    either,
    from_time,
    movements,
    opening,
)
from tests.support.ledger.mapped_page import Item, Page, read_page
from tests.support.ledger.tampering_proxy import Reply

MONTH = "2026-02"
TO = balances()
BANK, CASH, MACHINE, FURNITURE = account("1020"), account("1000"), account("1500"), account("1510")

STANDING = unseen(
    "two errors that cancel, the same on every day: only all postings since the beginning show it, and a first load "
    "does not read them; a reload compares with what was proven"
)
NAMES = unseen("names and properties of accounts are stated once, in the chart")
UNLINKED = replace(REFUSED, unlinked="balances behind a refused month hang on it, and agree among themselves")
WITHIN_TOLERANCE = unseen("books may be off by the tolerance; `books_off_by` says by how much")
UNUSED = unseen("nothing in the ledger refers to an account that was never used")


def _is_sheet(item: Item) -> bool:
    return item["accountnumber"][0] in "12"


def _exchanged(key: str, one: str, other: str) -> Callable[[list[Item]], list[Item]]:
    """Two accounts exchange what a member says."""

    def change(found: list[Item]) -> list[Item]:
        values = {number: item.get(key) for item in found for number in (one, other) if account(number)(item)}
        turned = {one: values.get(other), other: values.get(one)}
        if None in turned.values():
            return found
        return [
            next((item | {key: value} for number, value in turned.items() if account(number)(item)), item)
            for item in found
        ]

    return change


def _of_day(asked: Asked, day: str) -> Page:
    """Balances up to another day."""
    return read_page("balances", asked.instead(first="", last=day))


def _of_month(asked: Asked, first: str, last: str) -> Page:
    """What moved in another month."""
    return read_page("balances", asked.instead(first=first, last=last))


def _rounded(scale: str) -> Change:
    return amended(every, amount(lambda value: value.quantize(Decimal(scale), ROUND_DOWN)))


def _growing(asked: Asked) -> Page | Reply:
    """More by a franc each time."""
    return amended(BANK, plus(str(asked.question.time)))(asked)


BALANCES = [
    lie("the closing of an account is off", closing(MONTH), amended(BANK, plus("100"))),
    lie("the closing of an account is off by two rappen", closing(MONTH), amended(BANK, plus("0.02"))),
    lie("the closing of the last month is off", closing("2026-03"), amended(BANK, plus("100"))),
    lie("the opening of the first month is off", opening("2026-01"), amended(BANK, plus("100"))),
    lie("the opening of the only month is off", opening(MONTH), amended(BANK, plus("100")), period=FEBRUARY),
    lie("an account is off on every day", TO, amended(BANK, plus("100"))),
    lie("an account is off on both days of the only month", TO, amended(BANK, plus("100")), period=FEBRUARY),
    lie("an account is off by a rappen on every day", TO, amended(BANK, plus("0.01")), WITHIN_TOLERANCE),
    lie("all balance-sheet accounts are off on every day", TO, amended(_is_sheet, plus("100"))),
    lie("a standing account is off on every day", TO, amended(MACHINE, plus("100"))),
    lie("two moved accounts are off on every day, and it cancels", TO,
        in_turn(amend_items(BANK, plus("100")), amend_items(CASH, plus("-100"))), first=STANDING),
    lie("two standing accounts are off on every day, and it cancels", TO,
        in_turn(amend_items(MACHINE, plus("100")), amend_items(FURNITURE, plus("-100")))),
    lie("two standing accounts are exchanged on every day", TO, items(_exchanged("amount", "1500", "1510"))),
    lie("two moved accounts are exchanged on every day", TO, items(_exchanged("amount", "1000", "1020"))),
    lie("two accounts exchange numbers on every day", TO, items(_exchanged("accountnumber", "1500", "2800"))),
    lie("a standing account is left out on every day", TO, without(MACHINE)),
    lie("a standing account is left out on both days of the only month", TO, without(MACHINE), period=FEBRUARY),
    lie("all standing accounts are left out on every day", TO, without(account("1500", "1510", "2800"))),
    lie("a moved account is left out on every day", TO, without(BANK)),
    lie("an account is left out at the end", closing(MONTH), without(BANK)),
    lie("a standing account is left out at the end", closing(MONTH), without(MACHINE)),
    lie("an account is left out at the beginning", opening("2026-01"), without(BANK)),
    lie("a class of accounts is left out on every day", TO, without(lambda item: item["accountnumber"][0] == "2")),
    lie("an account is zero on every day", TO, amended(BANK, times("0"))),
    lie("a standing account is zero on every day", TO, amended(MACHINE, times("0"))),
    lie("an account that the chart lacks has a balance on every day", TO,
        added(MACHINE, both(on_account("1599"), text("500.0000")))),
    lie("an unused account has a balance on every day", TO,
        added(MACHINE, both(on_account("1590"), text("500.0000")))),
    lie("another tenant's balances on every day", TO, of_book("other")),
    lie("another tenant's balances, movements too", any_balance, of_book("other")),
    lie("another tenant's balances of the only month", TO, of_book("other"), period=FEBRUARY),
    lie("another tenant's movements", movements(), of_book("other")),
    lie("another tenant's figure for a standing account", TO,
        amended(MACHINE, times("3"))),
    lie("balances of before the edits", any_balance, of_book("before"), UNLINKED),
    lie("balances of before the edits when they are asked again", from_time(2, any_balance), of_book("before"),
        UNLINKED),
    lie("closing balances of before the edits", closing(MONTH), of_book("before")),
    lie("all balances are negated", any_balance, amended(every, times("-1"))),
    lie("all balances of the only month are negated", any_balance, amended(every, times("-1")), period=FEBRUARY),
    lie("balances on every day are negated", TO, amended(every, times("-1"))),
    lie("movements are negated", movements(), amended(every, times("-1"))),
    lie("movements of a month are negated", movements(MONTH), amended(every, times("-1"))),
    lie("movements of the only month are negated", movements(), amended(every, times("-1")), period=FEBRUARY),
    lie("an account is negated on every day", TO, amended(BANK, times("-1")), first=HARMLESS),
    lie("an account is negated at the end", closing(MONTH), amended(BANK, times("-1"))),
    lie("a standing account is negated on every day", TO, amended(MACHINE, times("-1")), first=HARMLESS),
    lie("all assets are negated on every day", TO, amended(lambda item: item["accountnumber"][0] == "1", times("-1"))),
    lie("an income account is negated in every month", movements(), amended(account("3400"), times("-1")),
        first=HARMLESS),
    lie("balances are absolute", any_balance, amended(every, amount(abs)), HARMLESS),
    lie("balances are whole francs", any_balance, _rounded("1")),
    lie("balances are tenths of francs", any_balance, _rounded("0.1")),
    lie("balances are a hundred times as large", any_balance, amended(every, times("100"))),
    lie("balances with two decimals that say the same", any_balance, _rounded("0.01"), TAKEN),
    lie("a ten-thousandth more at the end", closing(MONTH), amended(BANK, plus("0.0001")), WITHIN_TOLERANCE),
    lie("closing balances are the opening ones", closing(MONTH), lambda asked: _of_day(asked, "2026-01-31")),
    lie("movements of a month are left out of an account", movements(MONTH), without(account("6500"))),
    lie("movements of a month are off", movements(MONTH), amended(account("6500"), plus("100"))),
    lie("two movements are off, and it cancels", movements(MONTH),
        in_turn(amend_items(account("6500"), plus("100")), amend_items(account("6510"), plus("-100")))),
    lie("an account that did not move is said to have moved", movements(MONTH),
        added(account("6500"), on_account("6280"))),
    lie("movements are those of the month before", movements(MONTH),
        lambda asked: _of_month(asked, "2026-01-01", "2026-01-31")),
    lie("movements hold the balances", movements(MONTH), lambda asked: _of_day(asked, asked.question.last)),
    lie("the bank moves each time it is asked", TO, _growing),
    lie("the bank moves once while it is read", at_time(2, closing(MONTH)), amended(BANK, plus("7")), HARMLESS),
    lie("a balance of 1e22", closing(MONTH), amended(BANK, text("1E22"))),
    lie("a balance of 1e22 on every day", TO, amended(MACHINE, text("1E22"))),
    lie("a balance that is not a number", closing(MONTH), amended(BANK, text("NaN"))),
    lie("an infinite balance", closing(MONTH), amended(BANK, text("-Infinity"))),
    lie("an empty balance", closing(MONTH), amended(BANK, text(""))),
    lie("no balance", closing(MONTH), amended(BANK, member("amount", None))),
    lie("a balance with a decimal comma", closing(MONTH), amended(BANK, text("100,50"))),
    lie("a balance of 5,000 digits", closing(MONTH), amended(BANK, text("7" * 5000))),
    lie("an account is listed twice with the same balance", closing(MONTH), added(BANK, dict)),
    lie("an account is listed twice with other balances", closing(MONTH), added(BANK, plus("1"))),
    lie("a balance without an account number", closing(MONTH), added(BANK, member("accountnumber", ""))),
    lie("a balance without an account", closing(MONTH), added(BANK, member("accountnumber", None))),
    lie("an account number with a blank", closing(MONTH), amended(BANK, on_account("1020 ")), HARMLESS),
    lie("a standing account is stated in another class", any_balance, amended(MACHINE, on_account("8500"))),
    lie("balances under another name", any_balance, amended(every, member("accountname", "Konto")), NAMES),
    lie("balances in another order", any_balance, items(lambda found: reversed(found)), TAKEN),
]  # fmt: skip

CHARTS = [
    lie("the chart lacks a moved account", charts, without(BANK)),
    lie("the chart lacks a standing account", charts, without(MACHINE)),
    lie("the chart lacks an unused account", charts, without(account("6280")), UNUSED),
    lie("the chart is empty", charts, emptied),
    lie("the chart holds one account", charts, items(lambda found: found[:1])),
    lie("the chart is another tenant's, of whom nothing is shared", charts,
        amended(every, lambda item: item | {"@accno": "9" + item["@accno"], "@id": "9" + item["@id"]})),
    lie("a moved account has another number in the chart", charts, amended(BANK, member("@accno", "1025"))),
    lie("a standing account has another number in the chart", charts, amended(MACHINE, member("@accno", "1555"))),
    lie("an account has a number of another class in the chart", charts, amended(MACHINE, member("@accno", "6555"))),
    lie("a renumbered account has its old number in the lists only", either(charts, TO),
        amended(BANK, lambda item: item | {("@accno" if "@accno" in item else "accountnumber"): "1025"})),
    lie("two accounts exchange numbers in the chart", charts, items(_exchanged("@accno", "1000", "1020")), NAMES),
    lie("two accounts exchange names in the chart", charts, items(_exchanged("@description", "1000", "1020")), NAMES),
    lie("an account is twice in the chart", charts, added(BANK, dict), HARMLESS),
    lie("a number is twice in the chart, with other ids", charts, added(BANK, member("@id", "777777")), HARMLESS),
    lie("an account without a number in the chart", charts, amended(account("6280"), member("@accno", None))),
    lie("an account with an empty number in the chart", charts, amended(account("6280"), member("@accno", ""))),
    lie("an invented unused account in the chart", charts,
        added(BANK, both(member("@accno", "1077"), member("@id", "5"))), UNUSED),
    lie("the chart says that an account is not in use", charts, amended(BANK, member("@is_active", "false")), NAMES),
    lie("the chart is in another order", charts, items(lambda found: reversed(found)), TAKEN),
]  # fmt: skip

LIES: list[Lie] = [*BALANCES, *CHARTS]
