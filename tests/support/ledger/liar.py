"""A liar between extraction and service: a proxy that answers from recorded books and changes what a lie says.

A lie is one line of a table (:mod:`tests.support.ledger.lies`): to which requests it is told, how the response changes,
and which verdicts the evidence allows, for a first load and for a reload.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from tests.support.ledger.mapped_page import Page, read_page
from tests.support.ledger.tampering_proxy import Reply, TamperingProxy

#: Before any posting: balances since this day are those since the beginning.
BEGINNING = "1900-01-01"
QUARTER: Mapping[str, str] = MappingProxyType({"from_date": "2026-01-01", "to_date": "2026-03-31"})
FEBRUARY: Mapping[str, str] = MappingProxyType({"from_date": "2026-02-01", "to_date": "2026-02-28"})

PROVEN = frozenset({"exact", "tolerated"})
REFUSALS = frozenset({"broken", "broken_chain", "count_wrong", "suspicious_empty", "unproven", "unsettled", "error"})


@dataclass(frozen=True)
class Question:
    """A request.

    :param endpoint: ``charts``, ``postings``, ``balances`` or ``other``.
    :param accno: pattern of account numbers, of postings.
    :param first: first day, ISO; empty if none was sent.
    :param last: last day likewise.
    :param time: how often just this was asked since the lie began, from 1.
    """

    endpoint: str
    accno: str
    first: str
    last: str
    time: int = 1

    @classmethod
    def parse(cls, target: str) -> Question:
        """Read path and query."""
        parts = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        steps = parts.path.split("/")
        if steps[-1] == "transactions":
            return cls("postings", steps[-2], query.get("from_date", ""), query.get("to_date", ""))
        if steps[-1] == "saldo":
            return cls("balances", "", query.get("from", ""), query.get("to", ""))
        return cls("charts" if steps[-1] == "charts" else "other", "", "", "")


Where = Callable[[Question], bool]


@dataclass(frozen=True)
class Asked:
    """A request and the honest response to it.

    :param fetch: the response to a path and query by the books of a name.
    """

    question: Question
    honest: Reply
    target: str
    fetch: Callable[[str, str], Reply]

    @property
    def form(self) -> str:
        return "json" if "json" in self.honest.headers["Content-Type"] else "xml"

    @property
    def page(self) -> Page:
        """The honest response in the mapped form, to be changed."""
        return read_page(self.question.endpoint, self.honest)

    def other_books(self, name: str) -> Reply:
        """The response of other recorded books."""
        return self.fetch(name, self.target)

    def instead(self, *, first: str, last: str) -> Reply:
        """The response to a question about other days."""
        parts = urlsplit(self.target)
        query = {name: values[0] for name, values in parse_qs(parts.query).items() if name != "from"}
        days = {"to": last} | ({"from": first} if first else {})
        return self.fetch("now", f"{parts.path}?{urlencode(query | days)}")


Change = Callable[[Asked], "Page | Reply"]


@dataclass(frozen=True)
class Finding:
    """What must come of a lie.

    :param words: allowed verdicts of the months, and ``error``. Without a proven one, at least one month is refused.
    :param unseen: why no figure shows the lie; then the warehouse may differ from the books.
    :param unlinked: why no figure shows that balances of the months besides are not those of the books.
    :param codes: codes of reasons of which one must be named.
    """

    words: frozenset[str]
    unseen: str = ""
    unlinked: str = ""
    codes: frozenset[str] = frozenset()

    def naming(self, *codes: str) -> Finding:
        """The same, with a reason that must be named."""
        return replace(self, codes=frozenset(codes))


#: The lie is refused.
REFUSED = Finding(REFUSALS)
#: Refused, or the warehouse equals the books: the response says the same in another way.
HARMLESS = Finding(REFUSALS | PROVEN)
#: The response is what the books say; it must be taken.
TAKEN = Finding(PROVEN)


def only(*words: str) -> Finding:
    """Refused with one of these verdicts."""
    return Finding(frozenset(words))


def unseen(reason: str) -> Finding:
    """No figure shows it, for a reason that is documented in "What is not proven"."""
    return Finding(REFUSALS | PROVEN, unseen=reason)


@dataclass(frozen=True)
class Lie:
    """A line of the table.

    :param where: the requests to which it is told.
    :param first: what must come of it when nothing is loaded.
    :param reload: what must come of it when the books as they were before some edits are loaded.
    """

    name: str
    where: Where
    change: Change
    first: Finding
    reload: Finding
    period: Mapping[str, str]

    def finding(self, situation: str) -> Finding:
        """What must come of it, ``first`` or ``reload``."""
        return self.first if situation == "first" else self.reload


def lie(
    name: str,
    where: Where,
    change: Change,
    both: Finding = REFUSED,
    *,
    first: Finding | None = None,
    reload: Finding | None = None,
    period: Mapping[str, str] = QUARTER,
) -> Lie:
    """A line of the table; ``both`` says what must come of it, ``first`` and ``reload`` where that depends."""
    return Lie(name, where, change, first or both, reload or both, period)


class Liar(TamperingProxy):
    """Answers from recorded books; a context manager.

    :param books: address of the simulator by name of its books, which must stand still: ``now`` are those that are
        extracted.
    :ivar told: how often the lie was told.
    """

    def __init__(self, books: Mapping[str, str]) -> None:
        super().__init__(books["now"])
        self._books = books
        self._recorded: dict[tuple[str, str, str], Reply] = {}
        self._lie: Lie | None = None
        self._book = "now"
        self._times: Counter[Question] = Counter()
        self.told = 0

    def tell(self, lie: Lie | None, book: str = "now") -> None:
        """Lie from now on, about some of the books; without a lie, tell the truth."""
        self._lie, self._book, self.told = lie, book, 0
        self._times.clear()

    def fetch(self, target: str, headers: dict[str, str]) -> Reply:
        """The recorded response, or a lie."""
        honest = self._record(self._book, target, headers)
        question = Question.parse(target)
        if self._lie is None or question.endpoint == "other":
            return honest
        self._times[question] += 1
        question = replace(question, time=self._times[question])
        if not self._lie.where(question):
            return honest
        self.told += 1
        changed = self._lie.change(Asked(question, honest, target, partial(self._record, headers=headers)))
        return changed.reply() if isinstance(changed, Page) else changed

    def _record(self, book: str, target: str, headers: Mapping[str, Any]) -> Reply:
        key = (book, target, headers.get("Accept", ""))
        if key not in self._recorded:
            self.upstream = self._books[book]
            self._recorded[key] = super().fetch(target, dict(headers))
        return self._recorded[key]
