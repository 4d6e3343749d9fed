"""How a lie changes a response: in the mapped form, so for XML and JSON alike; in bytes where the form is the lie."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal

from tests.support.ledger.liar import Asked, Change
from tests.support.ledger.mapped_page import Item, Page, read_page
from tests.support.ledger.tampering_proxy import Reply

Select = Callable[[Item], bool]
Amend = Callable[[Item], Item]


# ---------------------------------------------------------------------- selecting


def voucher(*prefixes: str) -> Select:
    """Postings of vouchers whose references begin so."""
    return lambda item: str(item["reference"]).startswith(prefixes)


def account(*accnos: str) -> Select:
    """Postings, balances or accounts of the chart of these accounts."""
    return lambda item: item.get("accno", item.get("accountnumber", item.get("@accno"))) in accnos


def line(reference: str, accno: str) -> Select:
    """Postings of a voucher on an account."""
    return lambda item: voucher(reference)(item) and account(accno)(item)


def every(_: Item) -> bool:
    return True


# ---------------------------------------------------------------------- lists


def items(change: Callable[[list[Item]], Iterable[Item]]) -> Change:
    """Other items; a count follows."""
    return lambda asked: asked.page.with_items(lambda found: list(change(found)))


def without(select: Select) -> Change:
    """Some items are missing."""
    return items(lambda found: [item for item in found if not select(item)])


def amended(select: Select, amend: Amend) -> Change:
    """Some items say something else."""
    return items(lambda found: [amend(item) if select(item) else item for item in found])


def added(select: Select, amend: Amend) -> Change:
    """Some items come once more, amended."""
    return items(lambda found: [*found, *(amend(dict(item)) for item in found if select(item))])


def emptied(asked: Asked) -> Page:
    """A list of nothing, its count being 0."""
    return asked.page.with_items(lambda _: [])


def counted(asked_count: Callable[[int], str | None], select: Select = every) -> Change:
    """Some of the items, and a count of its own; None announces none."""

    def change(asked: Asked) -> Page:
        page = asked.page
        number = len(page.items)
        page = page.with_items(lambda found: [item for item in found if select(item)])
        page.count = asked_count(number)
        return page

    return change


def of_book(book: str) -> Change:
    """The response of other books."""
    return lambda asked: read_page(asked.question.endpoint, asked.other_books(book))


# ---------------------------------------------------------------------- figures


def amount(turn: Callable[[Decimal], Decimal | str]) -> Amend:
    """Another amount, from the one that is stated."""

    def amend(item: Item) -> Item:
        turned = turn(Decimal(item["amount"]))
        return item | {"amount": turned if isinstance(turned, str) else format(turned, "f")}

    return amend


def plus(difference: str) -> Amend:
    """More by so much."""
    return amount(lambda value: value + Decimal(difference))


def times(factor: str) -> Amend:
    """So many times as much."""
    return amount(lambda value: value * Decimal(factor))


def text(value: str) -> Amend:
    """An amount that is this text."""
    return lambda item: item | {"amount": value}


def member(name: str, value: object) -> Amend:
    """Another value of a member; None leaves it out."""
    if value is None:
        return lambda item: {key: old for key, old in item.items() if key != name}
    return lambda item: item | {name: value}


def on_account(accno: str) -> Amend:
    """On another account; the chart within a posting agrees."""

    def amend(item: Item) -> Item:
        if "accountnumber" in item:
            return item | {"accountnumber": accno}
        return item | {"accno": accno, "chart": item["chart"] | {"@accno": accno}}

    return amend


def on_day(day: str) -> Amend:
    """On another day."""
    return member("transdate", f"{day}T00:00:00+01:00")


def with_new_ids(item: Item) -> Item:
    """Another line of another voucher."""
    return item | {"id": str(int(item["id"]) + 700_000), "entry_id": str(int(item["entry_id"]) + 700_000)}


def new_entry(item: Item) -> Item:
    """Another line of the same voucher."""
    return item | {"entry_id": str(int(item["entry_id"]) + 700_000)}


def both(*amends: Amend) -> Amend:
    """One amendment after the other."""

    def amend(item: Item) -> Item:
        for step in amends:
            item = step(item)
        return item

    return amend


def in_turn(*changes: Callable[[list[Item]], Iterable[Item]]) -> Change:
    """One change of the items after the other."""

    def change(found: list[Item]) -> list[Item]:
        for step in changes:
            found = list(step(found))
        return found

    return items(change)


def amend_items(select: Select, amend: Amend) -> Callable[[list[Item]], Iterable[Item]]:
    """A step of :func:`in_turn`."""
    return lambda found: [amend(item) if select(item) else item for item in found]


# ---------------------------------------------------------------------- bytes


def encoded(turn: Callable[[bytes], bytes], **headers: str) -> Change:
    """Other bytes, made from the honest ones."""
    return lambda asked: Reply(turn(asked.honest.body), headers=asked.honest.headers | headers)


def body(xml: bytes, json: bytes | None = None, *, status: int = 200, **headers: str) -> Change:
    """A body of its own in each form."""

    def change(asked: Asked) -> Reply:
        content = json if json is not None and asked.form == "json" else xml
        return Reply(content, status, asked.honest.headers | headers)

    return change


def labelled(media_type: str, turn: Callable[[bytes], bytes] = bytes, status: int = 200) -> Change:
    """The honest content under another media type."""
    return lambda asked: Reply(turn(asked.honest.body), status, {"Content-Type": media_type})


def cut(share: float) -> Change:
    """The response ends after a share of its bytes, with a length that fits; 1 cuts the last byte off."""

    def turn(content: bytes) -> bytes:
        return content[: min(int(len(content) * share), len(content) - 1)]

    return encoded(turn)


def root(name: str, item: str) -> Change:
    """Another root element, and items of another name."""

    def change(asked: Asked) -> Page:
        page = asked.page
        page.root = name, item
        return page

    return change
