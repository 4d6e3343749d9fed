"""Books without a service: a client over a list of postings, so that tests of one month take milliseconds."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

from airflow_provider_rma.client.stream import Stopwatch
from airflow_provider_rma.exceptions import IncompleteResponseError, NotFoundError

_STATED = Decimal("0.0001")
CHART = {"1020": "Bank", "2800": "Capital", "3400": "Sales"}


@dataclass
class FakeBooks:
    """Stands for the client. Balances are natural: assets positive when debited, the others when credited.

    :ivar breaks: called before each response with postings; what it raises, that response raises at its end.
    :ivar moved: called after each response with postings, as somebody who books meanwhile.
    :ivar ids: id of each account in the chart; those that are absent are stated without one.
    :ivar signs: in which accounts are stated, where that is not the natural one of their class.
    :ivar answered: called after each response, as somebody who works meanwhile.
    :ivar turned: ``postings`` or ``balances`` if the service turns all of them round.
    :ivar requests: what was asked for, e.g. ``postings 2026-01-01 2026-01-31``.
    """

    postings: list[dict[str, Any]] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    breaks: Callable[[str], bool] = lambda request: False
    moved: Callable[[], None] = lambda: None
    closed_until: date | None = None
    chart: dict[str, str] = field(default_factory=lambda: dict(CHART))
    ids: dict[str, int] = field(default_factory=dict)
    signs: dict[str, int] = field(default_factory=dict)
    turned: str = ""
    answered: Callable[[], None] = lambda: None

    def renumber(self, old: str, new: str) -> None:
        """Give an account another number; it keeps its place in the chart and its id, if it has one."""
        self.chart = {new if accno == old else accno: name for accno, name in self.chart.items()}
        self.ids = {new if accno == old else accno: number for accno, number in self.ids.items()}
        for posting in self.postings:
            posting["accno"] = new if posting["accno"] == old else posting["accno"]

    @property
    def config(self) -> Any:
        return SimpleNamespace(tenant="demo", closed_until=self.closed_until)

    def voucher(self, number: int, day: str, debit: str, credit: str, amount: str) -> None:
        """Book a voucher of two lines."""
        for accno, raw in ((debit, -Decimal(amount)), (credit, Decimal(amount))):
            self.postings.append(
                {
                    "id": number,
                    "module": "gl",
                    "reference": f"GL-{number}",
                    "transdate": date.fromisoformat(day),
                    "accno": accno,
                    "amount": raw,
                    "entry_id": max((line["entry_id"] for line in self.postings), default=-1) + 1,
                }
            )

    def list_charts(self, **_: Any) -> Iterator[dict[str, Any]]:
        self.requests.append("chart")
        rows = [{"accno": accno, "description": name} for accno, name in self.chart.items()]
        listed = [row | ({"id": self.ids[row["accno"]]} if row["accno"] in self.ids else {}) for row in rows]
        self.answered()
        return iter(listed)

    def list_balances(self, *, from_date: date | None, to_date: date, **_: Any) -> Iterator[dict[str, Any]]:
        self.requests.append(f"balances {to_date}")
        stated = [*self._balances(from_date or date.min, to_date)]
        self.answered()
        return iter(stated)

    def _balances(self, first: date, last: date) -> Iterator[dict[str, Any]]:
        for accno in self.chart:
            lines = self._lines(accno, first, last)
            if lines:
                sign = self.signs.get(accno, -1 if accno.startswith("1") else 1)
                amount = (sign * self._turn("balances") * sum(line["amount"] for line in lines)).quantize(_STATED)
                yield {"accountnumber": accno, "accountname": self.chart[accno], "amount": amount}

    def open_transactions(self, accounts: str, *, from_date: date, to_date: date, **_: Any) -> FakeResponse:
        request = f"postings {from_date} {to_date}" + ("" if accounts == "x" else f" {accounts}")
        self.requests.append(request)
        response = FakeResponse(self._listed(accounts, from_date, to_date), self.breaks(request))
        self.moved()
        self.answered()
        return response

    def iter_transactions(self, accno: str, *, from_date: date, to_date: date, **_: Any) -> Any:
        self.requests.append(f"account {accno}")
        listed = self._listed(accno, from_date, to_date)
        self.answered()
        return nullcontext(listed)

    def get_invoice(self, number: str, **_: Any) -> dict[str, Any]:
        self.requests.append(f"invoice {number}")
        raise NotFoundError("there is no such invoice", method="GET", path=number, status=404)

    def _turn(self, what: str) -> int:
        return -1 if self.turned == what else 1

    def _listed(self, accounts: str, first: date, last: date) -> list[dict[str, Any]]:
        turn = self._turn("postings")
        return [line | {"amount": turn * line["amount"]} for line in self._lines(accounts, first, last)]

    def _lines(self, accounts: str, first: date, last: date) -> list[dict[str, Any]]:
        lines = [line for line in self.postings if first <= line["transdate"] <= last]
        # A lone x is every account, else an x is one digit.
        pattern = re.compile(".*" if accounts == "x" else accounts.replace("x", "."))
        return [line for line in lines if pattern.fullmatch(line["accno"])]


@dataclass
class FakeResponse:
    """A response with postings. Its bytes are not those of the documented form, so the strict path reads it.

    :param breaks_off: whether the last posting is missing although it was announced.
    """

    lines: list[dict[str, Any]]
    breaks_off: bool
    content_type: str = "xml"
    stopwatch: Stopwatch = field(default_factory=lambda: Stopwatch(60))

    def path(self) -> None:
        return None

    def reader(self) -> io.BytesIO:
        return io.BytesIO(b"<postings/>")

    def entities(self, skip: int) -> AbstractContextManager[FakeStream]:
        assert skip == 0
        return nullcontext(FakeStream(self))

    def to_disk(self) -> None:
        pass

    def close(self) -> None:
        pass


class FakeStream:
    def __init__(self, response: FakeResponse) -> None:
        self._response = response
        self.count = 0
        self.announced = len(response.lines)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for line in self._response.lines:
            self.count += 1
            if self._response.breaks_off and self.count == self.announced:
                raise IncompleteResponseError("the response ends early")
            yield line
