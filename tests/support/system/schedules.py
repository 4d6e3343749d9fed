"""Schedules: what may happen to billing, drawn from a seed, carried out, and judged.

A schedule has a few invoices and a few phases. In a phase one worker bills, or two bill the same invoices at once, or a
plan is made and carried out later; requests are hit by faults, workers die, the clock jumps. Then the weather clears,
and calm runs follow until nothing can change any more. What must hold is checked after each run and at the end.

With one document in flight everything follows from the seed. With several, which thread comes first does not.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Any

from airflow_provider_rma.billing.journal.model import JournalState
from airflow_provider_rma.billing.journal.store import Journal
from airflow_provider_rma.billing.policy import Policy
from tests.support.system.service import Books, BooksServer, Call, Reply
from tests.support.system.workers import DEATHS, Report, Turns, Worker, Workshop

START = 1_790_000_000.0
DEADLINE, SETTLE = 120.0, 300.0

#: What can become of a POST: the answer, and when the document comes into the books.
POST_FAULTS = (
    ("lost", "never"),
    ("lost", "now"),
    ("lost", "within"),
    ("lost", "within"),
    ("lost", "late"),
    ("error", "never"),
    ("error", "now"),
    ("error", "within"),
    ("busy", "never"),
    ("busy", "now"),
    ("page", "never"),
    ("page", "now"),
    ("normal", "within"),
    ("normal", "late"),
    ("refused", "never"),
    ("refused", "now"),
)
READ_FAULTS = ("lost", "error", "busy", "page", "truncated", "cut")
CALM_RUNS = 6


@dataclass
class Schedule:
    """One schedule.

    :param seed: everything that is drawn follows from it.
    :param settle_time: what the workers take for the settle time; another than the service's breaks the assumption.
    :ivar late: numbers of which a document came into the books after its settle time.
    :ivar contradicted: numbers that the service refused and booked all the same.
    :ivar met: what happened, to see that the schedules reach everything they are meant to reach.
    """

    seed: int
    server: BooksServer
    engine: Callable[[str], Any]
    settle_time: float = SETTLE
    now: float = START
    log: list[str] = field(default_factory=list)
    late: set[str] = field(default_factory=set)
    contradicted: set[str] = field(default_factory=set)
    calm: bool = False
    met: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)  # noqa: S311 - a repeatable sequence is wanted, not a secret
        self.tenant = f"t{self.seed}-{id(self)}"
        self.books = Books(self._decide, lambda: self.now)
        self.server.tenants[self.tenant] = self.books
        self._workers: dict[str, Worker] = {}
        self._turns: Turns | None = None
        self._lock = threading.Lock()
        self._runs = 0
        dice = self.dice
        self.roughness = dice.choice((0.05, 0.25, 0.6))
        self.records = [self._record(position) for position in range(dice.choice((1, 2, 2, 3, 5)))]
        self.keys = [record["invnumber"].casefold() for record in self.records]
        self.shop = Workshop(
            self.server.url,
            self.tenant,
            self.engine,
            lambda: self.now,
            self._pass_time,
            Policy(
                total_deadline=DEADLINE,
                settle_time=self.settle_time,
                check_master_data=False,
                absence_check=dice.choice(("full_list", "full_list", "by_number")),
                write_recovery_tag=dice.random() < 0.8,
            ),
            max_in_flight=dice.choice((1, 1, 1, 4)),
        )

    # ------------------------------------------------------------------ what happens

    def run(self) -> None:
        """Carry it out.

        :raises AssertionError: if something does not hold, with the story that led there.
        """
        try:
            for _ in range(self.dice.choice((1, 2, 2, 3, 4))):
                self._phase()
                self._pass_time(
                    self.dice.choice((1.0, DEADLINE + 1, SETTLE, SETTLE + DEADLINE - 1, SETTLE + DEADLINE + 1))
                )
            self._clear_up()
        except Exception as error:
            raise AssertionError(f"seed {self.seed}: {error}\n" + "\n".join(self.log)) from error
        finally:
            for worker in self._workers.values():
                if worker.dead:
                    self.met[f"death {worker.death}"] += 1
            del self.server.tenants[self.tenant]

    def _phase(self) -> None:
        kind = self.dice.choice(("one", "one", "two", "plan"))
        if kind == "one":
            self._judge(self.shop.bill(self._worker(), self._some()))
        elif kind == "two":
            self._together()
        else:
            planned = self.shop.plan(self._worker(), self._some())
            self._pass_time(self.dice.choice((1.0, SETTLE, 2 * SETTLE)))
            if planned.plan is not None:
                self._judge(self.shop.apply(self._worker(), planned.plan))

    def _together(self) -> None:
        workers = [self._worker(), self._worker()]
        inputs = [self._some() for _ in workers]
        reports: list[Report] = []
        failures: list[BaseException] = []
        turns = self._turns = Turns(self.dice, [worker.name for worker in workers])

        def bill(worker: Worker, records: list[dict[str, Any]]) -> None:
            turns.wait(worker.name)
            try:
                reports.append(self.shop.bill(worker, records))
            except BaseException as error:  # noqa: BLE001 - it is raised below, in the thread of the test
                failures.append(error)
            finally:
                turns.leave(worker.name)

        threads = [
            threading.Thread(target=bill, args=given, daemon=True) for given in zip(workers, inputs, strict=True)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        self._turns = None
        if failures:
            raise failures[0]
        assert not any(thread.is_alive() for thread in threads), "workers wait for each other for ever"
        for report in reports:
            self._judge(report)

    def _clear_up(self) -> None:
        self.calm = True
        self._pass_time(SETTLE + DEADLINE + 1)
        for turn in range(CALM_RUNS):
            report = self.shop.bill(self._worker(), self.records)
            self._judge(report)
            if turn == 0:
                self._pass_time(20 * SETTLE)
                # Only the list shows a second document of a number.
                self.shop.policy = replace(self.shop.policy, absence_check="full_list")
            elif {row["outcome"] for row in (report.rows or {}).values()} <= {"unchanged", "duplicate"}:
                self._judge_end(report)
                return
        raise AssertionError(f"not settled after {CALM_RUNS} calm runs")

    # ------------------------------------------------------------------ what is drawn

    def _record(self, position: int) -> dict[str, Any]:
        dice = self.dice
        sign = dice.choice((1, 1, 1, -1))
        amount = sign * Decimal(dice.randrange(1, 1_000_000)) / 100
        tax = sign * Decimal(dice.randrange(0, 10_000)) / 100
        name = dice.choice(("R-{}", "R-{}", "r {}/ä"))
        return {
            "invnumber": name.format(position),
            "customernumber": "K-001",
            "transdate": date(2026, 9, dice.randrange(1, 29)),
            "incomeentries": [{"amount": amount, "income_accno": "3400"}],
            "taxentries": [{"amount": tax, "tax_accno": dice.choice(("2201", "2202"))}],
        }

    def _some(self) -> list[dict[str, Any]]:
        """All records, or some, in any order; a number perhaps in capitals."""
        dice = self.dice
        records = dice.sample(self.records, dice.choice((len(self.records), dice.randrange(1, len(self.records) + 1))))
        if dice.random() < 0.1:
            records = [{**record, "invnumber": record["invnumber"].upper()} for record in records]
        return records

    def _worker(self) -> Worker:
        self._runs += 1
        worker = Worker(f"w{self._runs}", self._step)
        if not self.calm and self.dice.random() < max(0.3, self.roughness):
            worker.death, worker.nth = self.dice.choice(DEATHS), self.dice.choice((1, 1, 2))
        self._workers[worker.name] = worker
        self._tell(f"{worker.name} starts" + (f", dies at {worker.nth}. {worker.death!r}" if worker.death else ""))
        return worker

    def _step(self, name: str, point: str) -> None:
        """A worker passes a point: others may overtake it, and time may pass."""
        if self.calm:
            return
        if self._turns is not None and self.shop.max_in_flight == 1:
            self._turns.pass_on(name)
        with self._lock:
            if self.dice.random() < 0.05:
                # The last is a worker that was frozen for longer than its claim lasts.
                self._pass_time(self.dice.choice((1.0, 10.0, SETTLE / 2, SETTLE + 2 * DEADLINE)))
        self._tell(f"{name} {point}")

    def _decide(self, call: Call) -> Reply:
        with self._lock:
            reply = self._draw(call)
            self._tell(f"{call.actor} {call.kind} {call.number}: {reply.answer}, in the books at {reply.commit_at}")
            if call.kind == "post":
                self._note_late(call, reply)
                self.met["posts"] += 1
            if reply.answer != "normal":
                self.met[f"{call.kind} {reply.answer}"] += 1
        return reply

    def _draw(self, call: Call) -> Reply:
        hit = not self.calm and self.dice.random() < self.roughness
        if call.kind != "post":
            faults = (*READ_FAULTS, "page_404") if call.kind == "get" else READ_FAULTS
            return Reply(self.dice.choice(faults) if hit else "normal")
        if self._workers[call.actor].dies_in_flight:
            answer, when = "lost", self.dice.choice(("never", "now", "within", "late"))
        else:
            answer, when = self.dice.choice(POST_FAULTS) if hit else ("normal", "now")
        settles_at = self._settles_at(call)
        due = {
            "never": None,
            "now": self.now,
            "within": self.now + self.dice.choice((self.dice.random(), 1.0)) * max(0.0, settles_at - self.now),
            "late": max(self.now, settles_at) + self.dice.uniform(1, 3 * SETTLE),
        }[when]
        return Reply(answer, due)

    def _settles_at(self, call: Call) -> float:
        """Until when this POST's document must be in the books for the guarantee to hold."""
        claimed = self._workers[call.actor].claims[call.number.casefold()]
        return (claimed.settles_at or 0.0) - self.settle_time + SETTLE

    def _note_late(self, call: Call, reply: Reply) -> None:
        if reply.commit_at is not None and reply.commit_at > self._settles_at(call):
            self.late.add(call.number.casefold())
        if reply.commit_at is not None and reply.answer == "refused":
            self.contradicted.add(call.number.casefold())

    def _pass_time(self, seconds: float) -> None:
        self.now += seconds

    def _tell(self, what: str) -> None:
        self.log.append(f"{self.now - START:10.1f}  {what}")

    # ------------------------------------------------------------------ what must hold

    def _count(self) -> Counter[str]:
        return Counter(one.number.casefold() for one in self.books.visible())

    def _judge(self, report: Report) -> None:
        """What a run reports is true, whether or not it could finish."""
        count = self._count()
        for key in self.keys:
            assert count[key] <= 1 or key in self.late, f"{key} is in the books {count[key]} times"
        for key, row in (report.rows or {}).items():
            self._tell(f"{report.worker.name} reports {key} {row['outcome']} {row.get('reasons', '')}")
            self._judge_row(report.worker, key, row, count[key])
            taken = "taken" if any("another run" in reason for reason in row.get("reasons", ())) else ""
            self.met[f"outcome {row['outcome']} {taken}".strip()] += 1
        attempts = {key: entry.attempts for key, entry in self._journal().get(self.keys).items()}
        for key in self.keys:
            sent = self.books.posts[key]
            assert sent <= attempts.get(key, 0), f"{key} was sent {sent} times, claimed {attempts.get(key, 0)} times"

    def _judge_row(self, worker: Worker, key: str, row: dict[str, Any], documents: int) -> None:
        outcome = row["outcome"]
        sent = key in worker.claims
        allowed = {
            "created": documents >= 1 and sent,
            "unchanged": documents >= 1,
            "duplicate": documents >= 2 and key in self.late,
            "unknown": True,
            "held": True,
            # Of the worker's own documents: another worker may have booked it meanwhile.
            "rejected": sent and (not self._booked_by(worker, key) or key in self.contradicted),
        }
        assert allowed.get(outcome, False), f"{key} is reported {outcome}, and the books hold {documents}: {row}"

    def _booked_by(self, worker: Worker, key: str) -> bool:
        return any(one.actor == worker.name and one.number.casefold() == key for one in self.books.visible())

    def _judge_end(self, report: Report) -> None:
        """Nothing is lost, nothing is there twice, and nothing is in doubt."""
        assert report.rows is not None
        count = self._count()
        for record, key in zip(self.records, self.keys, strict=True):
            booked = [one for one in self.books.visible() if one.number.casefold() == key]
            row = report.rows[key]
            if key not in self.late:
                assert count[key] == 1, f"{key} is in the books {count[key]} times"
            assert row["outcome"] == ("duplicate" if count[key] > 1 else "unchanged"), row
            gross = record["incomeentries"][0]["amount"] + record["taxentries"][0]["amount"]
            assert all(one.gross == gross for one in booked)
            if count[key] > 1:
                assert all(one.id in row["reasons"][0] for one in booked), row
            else:
                assert Decimal(row["gross"]) == gross
        if not self.late:
            total = sum((record["incomeentries"][0]["amount"] for record in self.records), Decimal(0))
            total += sum((record["taxentries"][0]["amount"] for record in self.records), Decimal(0))
            assert sum((one.gross for one in self.books.visible()), Decimal(0)) == total
            assert report.summary is not None
            assert report.summary.total == total
        states = {entry.state for entry in self._journal().get(self.keys).values()}
        assert states == {JournalState.CREATED}, states
        assert not list(self._journal().open_rows())

    def _journal(self) -> Journal:
        return Journal(
            self.engine("judge"),
            base_url=self.server.url,
            tenant=self.tenant,
            kind="invoice",
            run="judge",
            clock=lambda: self.now,
        )
