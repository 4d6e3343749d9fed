"""Seeding: the books of a plausible company, written through the ledger itself, the same for the same arguments."""

from __future__ import annotations

import heapq
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock_time
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

from airflow_provider_rma.simulator.books.books import Books
from airflow_provider_rma.simulator.seed import company, payments
from airflow_provider_rma.simulator.seed.calendar import (
    SeedPlan,
    list_business_days,
    list_months,
    share_by_month,
    spread,
)
from airflow_provider_rma.simulator.seed.documents import DocumentMaker
from airflow_provider_rma.simulator.seed.vouchers import VoucherMaker

#: An invoice of the average size, CHF: what wages and rent are measured by.
_AVERAGE_INVOICE = 1800
_RESAVED, _DELETED, _PURCHASES, _PURCHASES_PAID = 0.015, 0.004, 0.35, 0.95
_INVOICES_PER_CASH_VOUCHER = 40

Report = Callable[[str], None]
Task = Callable[[date], None]


@dataclass(frozen=True)
class SeedSummary:
    """Books that were built: numbers of documents and postings, first and last day, seconds, bytes."""

    documents: int
    postings: int
    first_day: date
    last_day: date
    seconds: float
    size: int

    def __str__(self) -> str:
        return (
            f"documents {self.documents}  postings {self.postings}  period {self.first_day} to {self.last_day}  "
            f"seconds {self.seconds:.1f}  size {self.size / 1e6:.1f} MB"
        )


def seed(path: Path, plan: SeedPlan, report: Report = lambda _: None) -> SeedSummary:
    """Build the books of a company in a new file. The file appears when it is complete.

    :param path: the file; it must not exist.
    :param plan: what to build.
    :param report: called with a line of text now and then.
    :raises FileExistsError: if the file exists.
    """
    if path.exists():
        raise FileExistsError(f"{path} exists already; books are only seeded into a new file")
    started = time.monotonic()
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        books = Books.create(unfinished, company.build_master(), bulk=True)
        try:
            SeededCompany(books, plan, report).run()
            documents, postings = books.count_documents(), books.count_rows()
        finally:
            books.close()
        unfinished.rename(path)
    finally:
        for leftover in path.parent.glob(f"{unfinished.name}*"):
            leftover.unlink()
    seconds = time.monotonic() - started
    return SeedSummary(documents, postings, plan.start, plan.last_day, seconds, path.stat().st_size)


class SeededCompany:
    """A company while its years go by, day after day.

    :param books: new books of ``company.build_master``.
    """

    def __init__(self, books: Books, plan: SeedPlan, report: Report) -> None:
        self._books, self._plan, self._report = books, plan, report
        self._rng = Random(plan.seed)  # noqa: S311 - a repeatable sequence is wanted, not a secret
        customers = company.invent_customers(plan.customers, self._rng, plan.start)
        vendors = company.invent_vendors(max(5, plan.customers // 8), self._rng, plan.start)
        with books.in_one_transaction():
            for _, values in customers:
                books.save_customer(values)
            for _, values in vendors:
                books.save_vendor(values)
        self._documents = DocumentMaker(
            books,
            self._rng,
            [*(partner for partner, _ in customers), company.FOREIGN_CUSTOMER],
            [partner for partner, _ in vendors],
        )
        turnover = Decimal(plan.invoices * _AVERAGE_INVOICE) / plan.months
        self._vouchers = VoucherMaker(books, self._rng, turnover)
        self._numbers: dict[str, int] = {}
        self._cash_ids: list[int] = []
        self._later: list[tuple[date, int, Task]] = []
        self._tasks = 0

    def run(self) -> None:
        """Post everything, one transaction a month."""
        plan, told, started = self._plan, 0.0, time.monotonic()
        with self._books.in_one_transaction():
            self._set_day(plan.start)
            self._books.post_gl(self._vouchers.draw_opening(plan.start))
        for (first, last), invoices in zip(list_months(plan.start, plan.months), share_by_month(plan), strict=True):
            with self._books.in_one_transaction():
                self._month(first, last, invoices)
            seconds = time.monotonic() - started
            if seconds - told >= 1 or last == plan.last_day:
                self._report(f"{first:%Y-%m}  {self._books.count_rows()} postings  {seconds:.0f} s")
                told = seconds
        with self._books.in_one_transaction():
            self._end()

    def _set_day(self, day: date) -> None:
        self._books.set_clock(lambda: datetime.combine(day, clock_time(10), UTC))

    def _month(self, first: date, last: date, invoices: int) -> None:
        days = list_business_days(first, last)
        sales = spread(invoices, days, self._rng)
        purchases = spread(int(invoices * _PURCHASES), days, self._rng)
        cash = spread(invoices // _INVOICES_PER_CASH_VOUCHER, days, self._rng)
        regular = self._vouchers.draw_monthly(first, last)
        for offset in range((last - first).days + 1):
            day = first + timedelta(days=offset)
            self._set_day(day)
            self._do_what_is_due(day)
            for _ in range(sales.get(day, 0)):
                self._sell(day)
            for _ in range(purchases.get(day, 0)):
                self._buy(day)
            for _ in range(cash.get(day, 0)):
                self._cash_ids.append(self._books.post_gl(self._vouchers.draw_petty_cash(day)))
            for on, voucher in regular:
                if on == day:
                    self._books.post_gl(voucher)
        self._close_periods(last)

    def _close_periods(self, last: date) -> None:
        if last.month % 3 == 0:
            for voucher in self._vouchers.draw_settlements(last):
                self._books.post_gl(voucher)
        if last.month == 12 and last < self._plan.last_day:
            # the accountant closes a year in spring
            self._schedule(last + timedelta(days=80), lambda _: self._close_year(last))

    def _close_year(self, last: date) -> None:
        self._books.year_end(last, reference=f"JA-{last.year}", description=f"Jahresabschluss {last.year}")

    def _end(self) -> None:
        """Corrections and closings that are still to come, and the vouchers that are to be off."""
        due = sorted(self._later, key=lambda entry: entry[:2])
        self._later = []
        for day, _, task in due:
            if not isinstance(task, _PaymentTask):
                task(day)
        if self._plan.last_day.month == 12:
            self._close_year(self._plan.last_day)
        for document_id in self._rng.sample(self._cash_ids, min(self._plan.unbalanced, len(self._cash_ids))):
            self._books.unbalance(document_id)

    # ------------------------------------------------------------------ documents

    def _next_number(self, prefix: str, day: date) -> str:
        key = f"{prefix}-{day.year}"
        self._numbers[key] = self._numbers.get(key, 0) + 1
        return f"{key}-{self._numbers[key]:06d}"

    def _sell(self, day: date) -> None:
        document = self._documents.draw_invoice(self._next_number("RE", day), day)
        if self._rng.random() < _DELETED:
            mistaken = self._books.post_invoice(document)
            self._schedule(day + timedelta(days=1), lambda _: self._books.delete(mistaken))
        self._plan_follow_up(self._books.post_invoice(document), document, self._plan.payments)

    def _buy(self, day: date) -> None:
        document = self._documents.draw_purchase(self._next_number("ER", day), day)
        self._plan_follow_up(
            self._books.post_purchase(document), document, _PURCHASES_PAID if self._plan.payments else 0.0
        )

    def _plan_follow_up(self, document_id: int, document: dict[str, Any], paid: float) -> None:
        """Plan what will happen to a document: saved again within days, paid later."""
        day = date.fromisoformat(document["transdate"])
        if self._rng.random() < _RESAVED:
            amended = self._documents.amend(document)
            self._schedule(
                day + timedelta(days=1 + self._rng.randrange(payments.REST - 1)),
                lambda _: self._books.resave(document_id, amended),
            )
        payment = payments.draw_payment(self._rng, document_id, document, paid)
        if payment is not None:
            self._schedule(payment[0], _PaymentTask(self, payment[1]))

    def _schedule(self, day: date, task: Task) -> None:
        self._tasks += 1
        heapq.heappush(self._later, (day, self._tasks, task))

    def _do_what_is_due(self, day: date) -> None:
        while self._later and self._later[0][0] <= day:
            heapq.heappop(self._later)[2](day)

    def pay(self, payment: payments.Payment, day: date) -> None:
        """Enter a payment that is due, and plan the second one where it was a part."""
        following = payments.enter_payment(self._books, self._rng, payment, day)
        if following is not None:
            self._schedule(following[0], _PaymentTask(self, following[1]))


@dataclass(frozen=True)
class _PaymentTask:
    """The task of entering a payment: at the end of the period, such tasks are left undone."""

    company: SeededCompany
    payment: payments.Payment

    def __call__(self, day: date) -> None:
        self.company.pay(self.payment, day)
