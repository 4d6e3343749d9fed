"""Lies about postings: amounts, accounts, vouchers, dates, counts."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

from tests.support.ledger.liar import (
    FEBRUARY,
    HARMLESS,
    REFUSALS,
    REFUSED,
    TAKEN,
    Asked,
    Change,
    Finding,
    Lie,
    lie,
    unseen,
)
from tests.support.ledger.lies.changes import (
    Select,
    account,
    added,
    amend_items,
    amended,
    amount,
    both,
    counted,
    every,
    in_turn,
    items,
    line,
    member,
    new_entry,
    of_book,
    on_account,
    on_day,
    plus,
    text,
    times,
    voucher,
    with_new_ids,
    without,
)
from tests.support.ledger.lies.requests import postings
from tests.support.ledger.mapped_page import COUNT, Item, Page, read_page
from tests.support.ledger.tampering_proxy import Reply

MONTH = "2026-02"
LIST, ALL = postings(MONTH), postings()
SALE, OLD, VOUCHER = voucher(f"R-{MONTH}"), voucher("S-"), voucher(f"GL-{MONTH}")

SUMS = unseen("sums of vouchers and accounts are the same; nothing else is stated of amounts")
TEXTS = unseen("the service states nothing else of texts, references, departments, days within the month")
LINES = unseen("a line is known by its voucher, account and amount; sums and counts say nothing of how lines are cut")
MODULE = unseen("`module` is stated nowhere else")
ENTRY = unseen("`entry_id` is stated nowhere else and names nothing over time")
MERGED = unseen("vouchers under one id sum to zero together; ids are stated nowhere else")
REVERSED = unseen("a voucher and its reversal leave every sum alone, and the count is the one of the list")
WITHIN = unseen("a voucher within one account leaves every balance alone, and the count is the one of the list")
#: Reason that must be named where the missing amounts are those of exchange rows.
EXCHANGE_ROWS = REFUSED.naming("exchange_rows_missing")
TOLERATED = Finding(
    REFUSALS | {"tolerated"},
    unseen="a difference within the declared tolerance is named and `tolerated`, never `exact`",
)


def _swapped(accnos: tuple[str, str], select: Select = every) -> Change:
    other = dict(zip(accnos, reversed(accnos), strict=True))
    return items(lambda found: [
        on_account(other[item["accno"]])(item) if item["accno"] in other and select(item) else item
        for item in found
    ])  # fmt: skip


def _exchanged(name: str, one: str, other: str) -> Change:
    """Two vouchers exchange what a member says."""

    def change(found: list[Item]) -> list[Item]:
        values = {
            prefix: next((item[name] for item in found if voucher(prefix)(item)), None) for prefix in (one, other)
        }
        if None in values.values():
            return found
        turned = {one: values[other], other: values[one]}
        return [
            next((item | {name: turned[prefix]} for prefix in turned if voucher(prefix)(item)), item) for item in found
        ]

    return items(change)


def _is_exchange_row(item: Item) -> bool:
    """A row that the ledger adds to vouchers in another currency; a list can come without them."""
    return voucher("F-1")(item) and Decimal(item["amount"]) in (-7, 5, 2)


def _split(found: list[Item]) -> list[Item]:
    """A line in two parts."""
    lines = list[Item]()
    for item in found:
        if line("GL-", "6500")(item):
            lines += [item | {"amount": "-1"}, new_entry(plus("1")(item))]
        else:
            lines.append(item)
    return lines


def _joined(found: list[Item]) -> list[Item]:
    """Two equal lines of a voucher as one."""
    equal = [item for item in found if line("EQ-", "6500")(item)]
    return [times("2")(item) if item is equal[0] else item for item in found if item not in equal[1:]]


def _twins_exchanged(found: list[Item]) -> list[Item]:
    """Two vouchers of the same accounts exchange their amounts."""

    def turned(value: Decimal) -> Decimal:
        return (Decimal("33.50") if abs(value) == Decimal("11.25") else Decimal("11.25")).copy_sign(value)

    return [amount(turned)(item) if voucher("TA-", "TB-")(item) else item for item in found]


def _with_voucher_of(book: str, prefix: str) -> Change:
    """With a voucher as other books have it."""

    def change(asked: Asked) -> Page:
        theirs = read_page("postings", asked.other_books(book)).items
        return asked.page.with_items(
            lambda found: (
                [item for item in found if not voucher(prefix)(item)]
                + [item for item in theirs if voucher(prefix)(item)]
            )
        )

    return change


def _stated_twice(asked: Asked) -> Reply:
    """The count is stated twice, with different values: as the first member and as the last one."""
    honest = asked.page.reply().body
    if asked.form == "json":
        return Reply(b'{"%s":"3",' % COUNT.encode() + honest[1:], headers=asked.honest.headers)
    extra = b"<number_of_transaction>3</number_of_transaction></transactions>"
    return Reply(honest.replace(b"</transactions>", extra), headers=asked.honest.headers)


AMOUNTS = [
    lie("a posting is a rappen off", LIST, amended(line("GL-", "6500"), plus("0.01")), TOLERATED),
    lie("a posting is two rappen off", LIST, amended(line("GL-", "6500"), plus("-0.02"))),
    lie("a posting is 100 francs off", LIST, amended(line("GL-", "6500"), plus("100"))),
    lie("two lines of a voucher are off by the same", LIST,
        amended(voucher("GL-"), amount(lambda value: value + (5 if value > 0 else -5)))),
    lie("two vouchers are off, their account is not", LIST,
        in_turn(amend_items(line("TA-", "6000"), plus("5")), amend_items(line("TB-", "6000"), plus("-5")))),
    lie("two vouchers of the same accounts exchange amounts", LIST, items(_twins_exchanged), SUMS),
    lie("a voucher is turned", LIST, amended(voucher("GL-"), times("-1"))),
    lie("a month is turned", LIST, amended(every, times("-1"))),
    lie("all months are turned", ALL, amended(every, times("-1")), first=REFUSED, reload=REFUSED),
    lie("only February is read, and it is turned", LIST, amended(every, times("-1")), period=FEBRUARY,
        first=REFUSED, reload=REFUSED),
    lie("a voucher is ten times as large", LIST, amended(voucher("GL-"), times("10"))),
    lie("a month is a hundred times as large", LIST, amended(every, times("100"))),
    lie("all months are a tenth", ALL, amended(every, times("0.1"))),
    lie("amounts are whole francs", LIST,
        amended(every, amount(lambda value: value.quantize(Decimal(1), ROUND_HALF_UP)))),
    lie("a voucher is zero", LIST, amended(voucher("GL-"), times("0"))),
    lie("all amounts are zero", LIST, amended(every, times("0"))),
    lie("all amounts of all months are zero", ALL, amended(every, times("0"))),
    lie("an amount of 1e22", LIST, amended(line("GL-", "6500"), text("1E22"))),
    lie("an amount that is not a number", LIST, amended(line("GL-", "6500"), text("NaN"))),
    lie("an infinite amount", LIST, amended(line("GL-", "6500"), text("Infinity"))),
    lie("an empty amount", LIST, amended(line("GL-", "6500"), text(""))),
    lie("no amount", LIST, amended(line("GL-", "6500"), member("amount", None))),
    lie("an amount with a decimal comma", LIST, amended(line("GL-", "6500"), text("-42,50"))),
    lie("an amount with an apostrophe", LIST, amended(line("GL-", "6500"), text("-42'000.50"))),
    lie("an amount of 5,000 digits", LIST, amended(line("GL-", "6500"), text("1" * 5000))),
    lie("an amount with an exponent of a billion", LIST, amended(line("GL-", "6500"), text("1E1000000000"))),
    lie("an amount in hexadecimal", LIST, amended(line("GL-", "6500"), text("0x2A"))),
    lie("an amount in Arabic digits", LIST, amended(line("GL-", "6500"), text("-٤٣.٧٥")), HARMLESS),
    lie("an amount in words", LIST, amended(line("GL-", "6500"), text("viel"))),
    lie("a voucher with exponents that says the same", LIST,
        amended(voucher("GL-"), amount(lambda value: f"{value:E}")), TAKEN),
    lie("amounts with eight decimals that say the same", LIST,
        amended(every, amount(lambda value: f"{value:.8f}")), TAKEN),
]  # fmt: skip

ACCOUNTS = [
    lie("debit and credit accounts of a voucher are exchanged", LIST, _swapped(("6500", "1020"), VOUCHER)),
    lie("a posting is on another account of its class", LIST, amended(line("GL-", "6500"), on_account("6510"))),
    lie("a posting is on an account of another class", LIST, amended(line("GL-", "6500"), on_account("1000"))),
    lie("a voucher is on other accounts", LIST,
        in_turn(amend_items(line("GL-", "6500"), on_account("6000")),
                amend_items(line("GL-", "1020"), on_account("1000")))),
    lie("two accounts are exchanged all month", LIST, _swapped(("1000", "1020"))),
    lie("two accounts are exchanged in all months", ALL, _swapped(("6500", "6510"))),
    lie("a posting is on an account that the chart lacks", LIST, amended(line("GL-", "6500"), on_account("6999"))),
    lie("a posting has no account", LIST,
        amended(line("GL-", "6500"), both(member("accno", None), member("chart", None)))),
    lie("a posting names two accounts", LIST, amended(line("GL-", "6500"), member("accno", "6510"))),
]  # fmt: skip

VOUCHERS = [
    lie("a posting is missing", LIST, without(line("GL-", "6500"))),
    lie("the first posting is missing", LIST, items(lambda found: found[1:])),
    lie("the last posting is missing", LIST, items(lambda found: found[:-1])),
    lie("an account is missing", LIST, without(account("1020"))),
    lie("a class of accounts is missing", LIST, without(lambda item: item["accno"].startswith("2"))),
    lie("a voucher is missing", LIST, without(voucher("GL-"))),
    lie("a voucher is missing in every month", ALL, without(voucher("GL-"))),
    lie("a sale is missing", LIST, without(voucher("R-"))),
    lie("a payment is missing", LIST, without(lambda item: voucher("R-")(item) and item["transdate"][8:10] == "20")),
    lie("all invoices are missing", LIST, without(lambda item: item["module"] == "ar")),
    lie("every second posting is missing", LIST, items(lambda found: found[::2])),
    lie("only one voucher came", LIST, without(lambda item: not voucher("GL-")(item))),
    lie("a voucher and its reversal are missing", LIST, without(voucher("RA-", "RB-")), REVERSED),
    lie("a voucher within one account is missing", LIST, without(voucher("IN-")), WITHIN),
    lie("the exchange rows of a month are missing", LIST, without(_is_exchange_row), EXCHANGE_ROWS),
    lie("the exchange rows of all months are missing", ALL, without(_is_exchange_row), EXCHANGE_ROWS),
    lie("the exchange rows on accounts of the balance sheet are missing", LIST,
        without(lambda item: _is_exchange_row(item) and account("1021")(item))),
    lie("a posting came twice", LIST, added(line("GL-", "6500"), dict)),
    lie("a posting came twice with another entry_id", LIST, added(line("GL-", "6500"), new_entry)),
    lie("a voucher came twice", LIST, added(voucher("GL-"), dict)),
    lie("a voucher came twice with other ids", LIST, added(voucher("GL-"), with_new_ids)),
    lie("the list came twice", LIST, added(every, dict)),
    lie("the list came twice with other ids", LIST, added(every, with_new_ids)),
    lie("a voucher within one account came twice", LIST, added(voucher("IN-"), with_new_ids), WITHIN),
    lie("a ghost that sums to zero", LIST, added(voucher("TA-"), both(with_new_ids, times("4")))),
    lie("a ghost and its reversal", LIST,
        added(voucher("RA-", "RB-"), both(with_new_ids, times("3"))), REVERSED),
    lie("a line and its reverse in a voucher", LIST,
        in_turn(lambda found: [*found, *(times(turn)(item) | {"entry_id": f"9{number}{item['entry_id']}"}
                                         for number, turn in enumerate(("1", "-1"))
                                         for item in found if line("GL-", "6500")(item))]), REVERSED),
    lie("an entry_id comes twice", LIST,
        in_turn(lambda found: [item | {"entry_id": found[0]["entry_id"]} if item is found[-1] else item
                               for item in found]), REFUSED),
    lie("an entry_id comes twice in a voucher of equal lines", LIST,
        in_turn(lambda found: [item | {"entry_id": next(one for one in found if voucher("EQ-")(one))["entry_id"]}
                               if voucher("EQ-")(item) else item for item in found]), REFUSED),
    lie("vouchers are merged under one id", LIST,
        in_turn(lambda found: [item | {"id": next(one for one in found if voucher("TA-")(one))["id"]}
                               if voucher("TB-")(item) else item for item in found]), MERGED),
    lie("two vouchers exchange ids", LIST, _exchanged("id", "TA-", "TB-"), MERGED),
    lie("two lines of two vouchers exchange ids", LIST,
        in_turn(lambda found: [item | {"id": next(one for one in found if voucher("TB-")(one))["id"]}
                               if line("TA-", "6000")(item) else item for item in found])),
    lie("a voucher has no id", LIST, amended(voucher("GL-"), member("id", "")), HARMLESS),
    lie("a line has the id of no voucher", LIST, amended(line("GL-", "6500"), member("id", "777777"))),
    lie("a voucher has another module", LIST, amended(voucher("GL-"), member("module", "ar")), MODULE),
    lie("a line has another module", LIST, amended(line("GL-", "6500"), member("module", "ap"))),
    lie("entry_ids are other ones", LIST, amended(every, new_entry), ENTRY),
    lie("a line is split in two", LIST, items(_split), LINES),
    lie("two equal lines are joined", LIST, items(_joined), LINES),
    lie("a text is another", LIST, amended(voucher("GL-"), member("description", "Anderer Text")), TEXTS),
    lie("a reference is another", LIST, amended(voucher("GL-"), member("reference", "GX")), TEXTS),
    lie("a department is missing", LIST, amended(every, member("department", None)), TEXTS),
    lie("a voucher is dated on another day of its month", LIST, amended(voucher("GL-"), on_day("2026-02-11")), TEXTS),
    lie("a posting is dated in the next month", LIST, amended(line("GL-", "6500"), on_day("2026-03-10"))),
    lie("a voucher is dated in the month before", LIST, amended(voucher("GL-"), on_day("2026-01-10"))),
    lie("a voucher is dated a century ago", LIST, amended(voucher("GL-"), on_day("1926-02-10"))),
    lie("a day that no calendar has", LIST, amended(voucher("GL-"), on_day("2026-02-30"))),
    lie("a posting without a day", LIST, amended(line("GL-", "6500"), member("transdate", ""))),
    lie("the list is in another order", LIST, items(lambda found: reversed(found)), TAKEN),
    lie("a voucher as it was before it was amended", LIST, _with_voucher_of("before", "GL-")),
    lie("the list of before the edits", LIST, of_book("before")),
    lie("all lists of before the edits", ALL, of_book("before")),
    lie("another tenant's list", LIST, of_book("other")),
    lie("another tenant's lists", ALL, of_book("other")),
    lie("a member that nobody knows", LIST, amended(every, member("waehrung", "CHF")), HARMLESS),
]  # fmt: skip

COUNTS = [
    lie("one posting more is announced", LIST, counted(lambda number: str(number + 1)), REFUSED),
    lie("one posting less is announced", LIST, counted(lambda number: str(number - 1)), REFUSED),
    lie("a posting is missing and the count is right", LIST, counted(str, lambda item: not line("GL-", "6500")(item)),
        REFUSED),
    lie("a voucher within one account is missing and the count is right", LIST,
        counted(str, lambda item: not voucher("IN-")(item)), REFUSED),
    lie("no posting is announced", LIST, counted(lambda _: "0"), REFUSED),
    lie("a negative count", LIST, counted(lambda _: "-1")),
    lie("a count in words", LIST, counted(lambda _: "viele")),
    lie("a count of 5,000 digits", LIST, counted(lambda _: "9" * 5000)),
    lie("a count with decimals", LIST, counted(lambda number: f"{number}.5")),
    lie("a count that is a float", LIST, counted(lambda number: f"{number}.0"), HARMLESS),
    lie("a count with an apostrophe", LIST, counted(lambda _: "1'000")),
    lie("no count", LIST, counted(lambda _: None)),
    lie("an empty count", LIST, counted(lambda _: " ")),
    lie("the count is stated twice, with other values", LIST, _stated_twice),
    lie("nothing came and the count is right", LIST, counted(str, lambda _: False), REFUSED),
]  # fmt: skip

LIES: list[Lie] = [*AMOUNTS, *ACCOUNTS, *VOUCHERS, *COUNTS]
