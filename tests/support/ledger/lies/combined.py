"""Lies that are told in several answers at once, so that some of the figures agree with them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from decimal import ROUND_HALF_EVEN, Decimal

from tests.support.ledger.liar import (
    BEGINNING,
    FEBRUARY,
    HARMLESS,
    REFUSED,
    TAKEN,
    Asked,
    Change,
    Lie,
    Question,
    Where,
    lie,
    unseen,
)
from tests.support.ledger.lies.changes import (
    Amend,
    Select,
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
from tests.support.ledger.lies.postings import LINES, SUMS, TEXTS, TOLERATED
from tests.support.ledger.lies.requests import (
    ENDS,
    any_balance,
    at_time,
    balances,
    charts,
    closing,
    either,
    everything,
    movements,
    opening,
    postings,
)
from tests.support.ledger.mapped_page import Item, Page, read_page
from tests.support.ledger.tampering_proxy import Reply

MONTH = "2026-02"
LIST, ALL, TO = postings(MONTH), postings(), balances()
GL, TWIN, OTHER_TWIN = voucher("GL-"), voucher("TA-"), voucher("TB-")
BANK, CASH, MACHINE = account("1020"), account("1000"), account("1500")

AGREED = unseen("vouchers and balances were changed alike: other books, which agree with themselves")
UNBALANCED = replace(
    REFUSED,
    unlinked="books that hold a voucher which does not balance look alike; later months name it in `books_off_by`",
)
EARLIER = unseen("the answers of an earlier moment agree with themselves; the next run reads what is new")
RENUMBERED = unseen("accounts of which all answers say the other number look like accounts that were renumbered")
SAME_CLASS = unseen("chart, lists and balances agree on the other account; only its name says that it is another")


# ---------------------------------------------------------------------- helpers


def since(month: str) -> Where:
    """Balances from the end of a month on, and what moved in it."""
    end = ENDS[month]
    return lambda asked: (
        asked.endpoint == "balances"
        and (asked.last >= end if asked.first in ("", BEGINNING) else asked.first.startswith(month))
    )


def cumulated(asked: Question) -> bool:
    """What moved since the beginning of the books."""
    return asked.endpoint == "balances" and asked.first == BEGINNING


def of_february(asked: Question) -> bool:
    """All that is asked of February itself: its list, its balances."""
    return LIST(asked) or movements(MONTH)(asked) or opening(MONTH)(asked) or closing(MONTH)(asked)


def by_endpoint(**changes: Change) -> Change:
    """A change for each endpoint; the others tell the truth."""

    def change(asked: Asked) -> Page | Reply:
        return changes.get(asked.question.endpoint, lambda honest: honest.page)(asked)

    return change


def off(differences: Mapping[str, str]) -> Change:
    """Balances of some accounts are off, as stated."""
    return in_turn(*(amend_items(account(accno), plus(amount_)) for accno, amount_ in differences.items()))


def alike(lists: Change, **differences: str) -> Change:
    """The list says something else, and balances of some accounts (``a6500``) agree with it."""
    return by_endpoint(postings=lists, balances=off({accno[1:]: value for accno, value in differences.items()}))


WITH_BALANCES = either(LIST, since(MONTH))


def exchanged(one: str, other: str) -> Change:
    """Two accounts exchange their numbers: in the chart, in a list, in balances."""
    numbers = {one: other, other: one}

    def amend(item: Item) -> Item:
        if "@accno" in item:
            return item | {"@accno": numbers.get(item["@accno"], item["@accno"])}
        accno = item.get("accno", item.get("accountnumber"))
        return on_account(numbers[accno])(item) if accno in numbers else item

    return amended(every, amend)


def renumbered(old: str, new: str) -> Change:
    """An account has another number everywhere."""

    def amend(item: Item) -> Item:
        return item | {"@accno": new} if "@accno" in item else on_account(new)(item)

    return amended(account(old), amend)


def swapped_amounts(select: Select, one: str, other: str) -> Change:
    """Two lines exchange their amounts."""

    def change(found: list[Item]) -> Iterable[Item]:
        values = {item["accno"]: item["amount"] for item in found if select(item) and item["accno"] in (one, other)}
        turned = {one: values.get(other), other: values.get(one)}
        return [item | {"amount": turned[item["accno"]]} if select(item) and item["accno"] in turned else item
                for item in found]  # fmt: skip

    return items(change)


def list_of(month: str) -> Callable[[Asked], Page]:
    """The list of another month, dated into February."""

    def change(asked: Asked) -> Page:
        target = asked.target.replace(f"{MONTH}-28", ENDS[month]).replace(f"{MONTH}-01", f"{month}-01")
        return read_page("postings", asked.fetch("now", target)).with_items(
            lambda found: [item | {"transdate": item["transdate"].replace(month, MONTH)} for item in found]
        )

    return change


def balances_of(day: str, first: str = "") -> Callable[[Asked], Page]:
    """Balances of other days."""
    return lambda asked: read_page("balances", asked.instead(first=first, last=day))


def moved_by_a_day(item: Item) -> Item:
    """A day later, within the month."""
    day = int(item["transdate"][8:10])
    return item | {"transdate": item["transdate"].replace(f"{MONTH}-{day:02}", f"{MONTH}-{min(day + 1, 28):02}")}


def rotated_ids(found: list[Item]) -> list[Item]:
    """Each account of the chart has the id of the next."""
    ids = [item["@id"] for item in found]
    return [item | {"@id": key} for item, key in zip(found, [*ids[1:], ids[0]], strict=True)]


def scaled(share: str) -> Amend:
    return amount(lambda value: (value * Decimal(share)).quantize(Decimal("0.01"), ROUND_HALF_EVEN))


MORE = amount(lambda value: value + (100 if value > 0 else -100))

# ---------------------------------------------------------------------- the table

CONSISTENT = [
    lie("a posting and its account are off alike, the other side is not", WITH_BALANCES,
        alike(amended(line("GL-", "6500"), plus("-100")), a6500="100")),
    lie("a posting on the bank and the bank are off alike, the other side is not", WITH_BALANCES,
        alike(amended(line("GL-", "1020"), plus("100")), a1020="-100"), UNBALANCED),
    lie("a posting and its account are off by a rappen alike", WITH_BALANCES,
        alike(amended(line("GL-", "6500"), plus("-0.01")), a6500="0.01"), TOLERATED),
    lie("a posting and its account are off by two rappen alike", WITH_BALANCES,
        alike(amended(line("GL-", "6500"), plus("-0.02")), a6500="0.02")),
    lie("a voucher and one of its accounts are off alike", WITH_BALANCES, alike(amended(GL, MORE), a6500="100")),
    lie("a voucher and the other of its accounts are off alike", WITH_BALANCES,
        alike(amended(GL, MORE), a1020="-100")),
    lie("a voucher and both of its accounts are off alike", WITH_BALANCES,
        alike(amended(GL, MORE), a6500="100", a1020="-100"), AGREED),
    lie("a voucher and both accounts are off alike, but not what moved", either(LIST, closing(MONTH)),
        alike(amended(GL, MORE), a6500="100", a1020="-100")),
    lie("a voucher and what moved are off alike, the closings are not", either(LIST, movements(MONTH)),
        alike(amended(GL, MORE), a6500="100", a1020="-100")),
    lie("a voucher is missing, in list and balances", WITH_BALANCES,
        alike(without(TWIN), a6000="-11.25", a1000="11.25"), AGREED),
    lie("a voucher is missing, in list and one balance", WITH_BALANCES, alike(without(TWIN), a1000="11.25")),
    lie("a voucher is missing, in list and income statement", WITH_BALANCES, alike(without(TWIN), a6000="-11.25")),
    lie("a voucher is missing in the list, another in the balances", WITH_BALANCES,
        alike(without(TWIN), a6000="-33.50", a1000="33.50")),
    lie("a ghost, in list and balances", WITH_BALANCES,
        alike(added(TWIN, with_new_ids), a6000="11.25", a1000="-11.25"), AGREED),
    lie("a ghost, in list and one balance", WITH_BALANCES, alike(added(TWIN, with_new_ids), a6000="11.25")),
    lie("a ghost in the balances only", since(MONTH), off({"6000": "11.25", "1000": "-11.25"})),
    lie("a ghost on accounts of the balance sheet, in balances only", since(MONTH),
        off({"1020": "11.25", "1000": "-11.25"})),
    lie("a voucher is turned, in list and balances", WITH_BALANCES,
        alike(amended(TWIN, times("-1")), a6000="-22.50", a1000="22.50"), AGREED),
    lie("a voucher is turned, in list and one balance", WITH_BALANCES,
        alike(amended(TWIN, times("-1")), a6000="-22.50")),
    lie("a line is on another account, in list and what moved", either(LIST, movements(MONTH)),
        alike(amended(line("TA-", "6000"), on_account("6500")), a6000="-11.25", a6500="11.25")),
    lie("a line is on another account, in list and what moved, and nothing else is read",
        either(LIST, movements(MONTH)),
        alike(amended(line("TA-", "6000"), on_account("6500")), a6000="-11.25", a6500="11.25"), period=FEBRUARY),
    lie("a line is on another account, in list and balances", WITH_BALANCES,
        alike(amended(line("TA-", "6000"), on_account("6500")), a6000="-11.25", a6500="11.25"), AGREED),
    lie("one voucher is off by more, another of the same accounts by less", LIST,
        in_turn(amend_items(TWIN, amount(lambda value: value + (5 if value > 0 else -5))),
                amend_items(OTHER_TWIN, amount(lambda value: value - (5 if value > 0 else -5)))), SUMS),
    lie("two lines on an account are off, and it cancels; their vouchers are not", LIST,
        in_turn(amend_items(line("TA-", "1000"), plus("7")), amend_items(line("TB-", "1000"), plus("-7")))),
]  # fmt: skip

LISTS = [
    lie("a sale's income and tax exchange amounts", LIST, swapped_amounts(voucher("R-"), "3400", "2201")),
    lie("two sales exchange amounts", LIST,
        in_turn(lambda found: [item | {"reference": {"R-": "S-", "S-": "R-"}[item["reference"][:2]]
                                       + item["reference"][2:]}
                               if voucher("R-", "S-")(item) else item for item in found]), TEXTS),
    lie("two vouchers exchange accounts", LIST,
        in_turn(amend_items(line("TA-", "6000"), on_account("6500")),
                amend_items(line("GL-", "6500"), on_account("6000")))),
    lie("a twin came twice instead of the other", LIST,
        in_turn(lambda found: [item for item in found if not TWIN(item)],
                lambda found: [*found, *(with_new_ids(item) for item in found if OTHER_TWIN(item))])),
    lie("a voucher came twice under its own id", LIST, added(GL, new_entry)),
    lie("a voucher came twice, turned the second time", LIST, added(GL, both(with_new_ids, times("-2")))),
    lie("a line of zero more", LIST, added(line("GL-", "6500"), both(new_entry, times("0"))), LINES),
    lie("the first half of the vouchers", LIST,
        without(lambda item: item["transdate"][8:10] > "13")),
    lie("the vouchers of ten days", LIST, without(lambda item: item["transdate"][8:10] > "10")),
    lie("ten postings", LIST, items(lambda found: found[:10])),
    lie("no purchase", LIST, without(lambda item: item["module"] == "ap")),
    lie("no voucher of the general ledger", LIST, without(lambda item: item["module"] == "gl")),
    lie("no posting of a department", LIST, without(lambda item: bool(item.get("department")))),
    lie("January's list, dated into February", LIST, list_of("2026-01")),
    lie("March's list", LIST, lambda asked: read_page("postings", asked.fetch(
        "now", asked.target.replace("2026-02-01", "2026-03-01").replace("2026-02-28", "2026-03-31")))),
    lie("January's list and movements", either(LIST, movements(MONTH)),
        by_endpoint(postings=list_of("2026-01"), balances=balances_of("2026-01-31", "2026-01-01"))),
    lie("all days are a day later", LIST, amended(every, moved_by_a_day), TEXTS),
    lie("a line is a day later than the rest of its voucher", LIST,
        amended(line("GL-", "6500"), moved_by_a_day), TEXTS),
    lie("a voucher is dated a year ago", LIST, amended(GL, on_day("2025-02-10"))),
    lie("a voucher is dated on the eve", LIST, amended(GL, on_day("2026-01-31"))),
    lie("a payment in euro is in other francs", LIST, amended(voucher("F-1"), scaled("1.07"))),
    lie("a payment in euro is missing", LIST, without(voucher("F-1"))),
    lie("amounts are rounded to five rappen", LIST,
        amended(every, amount(lambda value: (value * 20).quantize(Decimal(1)) / 20))),
    lie("only the first time the list is empty", at_time(1, LIST), emptied, HARMLESS),
]  # fmt: skip

FIGURES = [
    lie("balances since the beginning are off for income", cumulated, amended(account("3400"), plus("100"))),
    lie("balances since the beginning are off for the bank", cumulated, amended(BANK, plus("100"))),
    lie("balances since the beginning are off for two incomes, and it cancels", cumulated,
        in_turn(amend_items(account("6000"), plus("100")), amend_items(account("6500"), plus("-100"))),
        unseen("it is not documented whether balances of income and expenses run on over the years")),
    lie("balances since the beginning are empty", cumulated, emptied),
    lie("balances since the beginning are another tenant's", cumulated, of_book("other")),
    lie("balances since the beginning are negated", cumulated, amended(every, times("-1"))),
    lie("balances since the beginning lack income and expenses", cumulated,
        without(lambda item: item["accountnumber"][0] > "2")),
    lie("balances since the beginning end a month early", cumulated,
        lambda asked: balances_of("2025-12-31", BEGINNING)(asked)),
    lie("balances of a year ago", TO, lambda asked: balances_of(
        f"{int(asked.question.last[:4]) - 1}{asked.question.last[4:]}", asked.question.first)(asked)),
    lie("what moved a year ago", movements(MONTH), balances_of("2025-02-28", "2025-02-01")),
    lie("liabilities are negated in all balances", any_balance,
        amended(lambda item: item["accountnumber"][0] == "2", times("-1")), first=HARMLESS, reload=REFUSED),
    lie("expenses are negated in all balances", any_balance,
        amended(lambda item: item["accountnumber"][0] in "46", times("-1")), first=HARMLESS, reload=REFUSED),
    lie("balances are rounded to five rappen", any_balance,
        amended(every, amount(lambda value: (value * 20).quantize(Decimal(1)) / 20))),
    lie("balances have three decimals", any_balance,
        amended(every, amount(lambda value: value.quantize(Decimal("0.001")))), TAKEN),
    lie("two accounts of the balance sheet close otherwise, and it cancels", since(MONTH),
        off({"1500": "100", "1510": "-100"})),
    lie("balances of before the edits, what moved is of now", TO, of_book("before")),
    lie("what moved is of before the edits", movements(), of_book("before")),
    lie("an account is zero at the end, and did not move", since(MONTH), amended(BANK, text("0"))),
    lie("every balance is zero", any_balance, amended(every, text("0"))),
]  # fmt: skip

OTHER_BOOKS = [
    lie("another tenant's February", of_february, of_book("other")),
    lie("another tenant's February and nothing else is read", of_february, of_book("other"), period=FEBRUARY),
    lie("another tenant's list and movements", either(LIST, movements(MONTH)), of_book("other")),
    lie("the list and what moved are of before the edits", either(LIST, movements(MONTH)), of_book("before")),
    lie("the list and the closings are of before the edits", either(LIST, closing(MONTH)), of_book("before")),
    lie("all answers are of before the edits", everything, of_book("before"), EARLIER),
    lie("all lists are of before the edits, one movement is", either(ALL, movements(MONTH)), of_book("before")),
    lie("a list of another tenant's vouchers beside our own", LIST, lambda asked: asked.page.with_items(
        lambda found: [*found, *map(with_new_ids, read_page("postings", asked.other_books("other")).items)])),
]  # fmt: skip

NUMBERS = [
    lie("two expenses exchange numbers in chart, lists and balances", everything, exchanged("6500", "6510"),
        RENUMBERED),
    lie("two expenses exchange numbers in lists and balances", either(ALL, any_balance), exchanged("6500", "6510"),
        SAME_CLASS),
    lie("two expenses exchange numbers in chart and lists", either(ALL, charts), exchanged("6500", "6510")),
    lie("two expenses exchange numbers in balances", any_balance, exchanged("6500", "6510")),
    lie("bank and cash exchange numbers in lists", ALL, exchanged("1000", "1020")),
    lie("bank and cash exchange numbers in lists and balances", either(ALL, any_balance), exchanged("1000", "1020"),
        first=SAME_CLASS, reload=REFUSED),
    lie("bank and cash exchange numbers in chart and balances", either(charts, any_balance),
        exchanged("1000", "1020")),
    lie("bank and income exchange numbers everywhere", everything, exchanged("1020", "3400"),
        first=SAME_CLASS, reload=REFUSED),
    lie("the bank has another number everywhere", everything, renumbered("1020", "1025"), RENUMBERED),
    lie("the bank has another number in lists and balances", either(ALL, any_balance), renumbered("1020", "1025")),
    lie("the bank has another number in chart and lists", either(ALL, charts), renumbered("1020", "1025")),
    lie("the machine has another number in chart and balances", either(charts, any_balance),
        renumbered("1500", "1555"), RENUMBERED),
    lie("each account of the chart has the id of the next", charts, items(rotated_ids), HARMLESS),
    lie("all ids of the chart are other ones", charts, amended(every, lambda item: item | {"@id": "9" + item["@id"]}),
        TAKEN),
    lie("the chart has no ids", charts, amended(every, member("@id", None)), TAKEN),
    lie("all ids of the chart are the same", charts, amended(every, member("@id", "7")), TAKEN),
]  # fmt: skip

LIES: list[Lie] = [*CONSISTENT, *LISTS, *FIGURES, *OTHER_BOOKS, *NUMBERS]
