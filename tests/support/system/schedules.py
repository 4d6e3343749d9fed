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
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Any

from airflow_provider_rma.billing.journal.model import JournalState
from airflow_provider_rma.billing.journal.store import Journal
from airflow_provider_rma.billing.numbers import is_plain_number
from airflow_provider_rma.billing.policy import Policy
from tests.support.system.faults import LAGS, POST_FAULTS, draw_read, draw_status
from tests.support.system.interruptions import SCOPES, Interruption
from tests.support.system.journal_engines import JournalEngines
from tests.support.system.judge import Judge, Readings
from tests.support.system.service import Books, BooksServer, Call, Reply
from tests.support.system.workers import DEATHS, MISTAKES, Report, Turns, Worker, Workshop

START = 1_790_000_000.0
DEADLINE, SETTLE = 120.0, 300.0

CALM_RUNS = 6

#: How the host of a connection may be written, the port behind it.
SPELLINGS = ("", "", "http://LOCALHOST:{}", "HTTP://localhost:{}", "http://localhost.:{}/", " http://LocalHost:0{} ")


@dataclass
class Schedule:
    """One schedule.

    :param seed: everything that is drawn follows from it.
    :param settle_time: what the workers take for the settle time; another than the service's breaks the assumption.
    :ivar met: what happened, to see that the schedules reach everything they are meant to reach.
    """

    seed: int
    server: BooksServer
    engine: JournalEngines
    settle_time: float = SETTLE
    now: float = START
    log: list[str] = field(default_factory=list)
    calm: bool = False
    met: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)  # noqa: S311 - a repeatable sequence is wanted, not a secret
        self.tenant = f"t{self.seed}-{id(self)}"
        self.books = Books(self._decide, lambda: self.now)
        self.server.tenants[self.tenant] = self.books
        self._workers: dict[str, Worker] = {}
        self._renewed: set[str] = set()
        self._turns: Turns | None = None
        self._lock = threading.Lock()
        self._runs = 0
        dice = self.dice
        self.roughness = dice.choice((0.05, 0.25, 0.6))
        self.lag = dice.choice(LAGS)
        self.records = [self._record(position) for position in range(dice.choice((1, 2, 2, 3, 5)))]
        self.port = self.server.url.rpartition(":")[2]
        url = f"http://localhost:{self.port}"
        self.shop = Workshop(
            url,
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
        journal = Journal(
            self.engine("judge"),
            base_url=url,
            tenant=self.tenant,
            kind="invoice",
            run="judge",
            clock=lambda: self.now,
        )
        self.judge = Judge(self.books, self.shop, self.records, journal, self._tell, met=self.met)
        self.excuses = self.judge.excuses

    @property
    def is_repeatable(self) -> bool:
        """Whether it happens in the same way each time: threads of one run do not race with each other."""
        lines = (worker.interruption and worker.interruption.happened for worker in self._workers.values())
        return self.shop.max_in_flight == 1 and not any(lines)

    # ------------------------------------------------------------------ what happens

    def run(self) -> None:
        """Carry it out.

        :raises AssertionError: if something does not hold, with the story that led there.
        """
        try:
            for _ in range(self.dice.choice((1, 2, 2, 3, 4))):
                self._phase()
                self._renew_engines()
                self._pass_time(
                    self.dice.choice((1.0, DEADLINE + 1, SETTLE, SETTLE + DEADLINE - 1, SETTLE + DEADLINE + 1))
                )
            self._clear_up()
        except Exception as error:
            how = "" if self.is_repeatable else " (threads race here: another try may go otherwise)"
            again = f"python -m tests.support.system.chaos --first {self.seed} --schedules 1 --processes 1{how}"
            told = f"seed {self.seed}: {type(error).__name__}: {error}"
            raise AssertionError("\n".join((told, f"again: {again}", *self.log))) from error
        finally:
            for worker in self._workers.values():
                self._note_worker(worker)
            del self.server.tenants[self.tenant]

    def _phase(self) -> None:
        kind = self.dice.choice(("one", "one", "two", "plan"))
        if kind == "one":
            self.judge.judge_run(self.shop.bill(self._worker(), self._some()))
        elif kind == "two":
            self._together()
        else:
            planned = self.shop.plan(self._worker(), self._some())
            self._pass_time(self.dice.choice((1.0, SETTLE, 2 * SETTLE)))
            if planned.plan is not None:
                self.judge.judge_run(self.shop.apply(self._worker(), planned.plan))

    def _renew_engines(self) -> None:
        """Let what an interrupted worker has left open end with its process."""
        for worker in self._workers.values():
            if worker.interruption is not None and worker.interruption.happened and worker.name not in self._renewed:
                self._renewed.add(worker.name)
                self.engine.renew(worker.name)

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
            self.judge.judge_run(report)

    def _clear_up(self) -> None:
        self.calm = True
        self._pass_time(SETTLE + DEADLINE + 1)
        for turn in range(CALM_RUNS):
            report = self.shop.bill(self._worker(), self.records)
            self.judge.judge_run(report)
            if turn == 0:
                self._pass_time(20 * SETTLE)
                # Only the list shows a second document of a number.
                self.shop.policy = replace(self.shop.policy, absence_check="full_list")
            elif {row["outcome"] for row in (report.rows or {}).values()} <= {"unchanged", "duplicate"}:
                self.judge.judge_end(report)
                self._bill_another()
                return
        raise AssertionError(f"not settled after {CALM_RUNS} calm runs")

    def _bill_another(self) -> None:
        """Bill a number that no run has carried: numbers that are there twice are named all the same."""
        position = len(self.records)
        self.judge.judge_run(self.shop.bill(self._worker(), [self._record(position)]))

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
        dice = self.dice
        worker = Worker(f"w{self._runs}", self._step, spelling=dice.choice(SPELLINGS).format(self.port))
        if not self.calm:
            if dice.random() < max(0.3, self.roughness):
                worker.death, worker.nth = dice.choice(DEATHS), dice.choice((1, 1, 2))
            elif dice.random() < 0.3:
                worker.interruption = self._interruption()
            elif dice.random() < 0.2:
                worker.mistake, worker.exits = dice.choice(MISTAKES), dice.random() < 0.5
            if dice.random() < 0.15:
                worker.journal_room = dice.randrange(6)
            if dice.random() < 0.15:
                worker.room = dice.randrange(14)
        self._workers[worker.name] = worker
        self._tell(f"{worker.name} starts{self._describe(worker)}")
        return worker

    def _interruption(self) -> Interruption:
        dice = self.dice
        scope = dice.choice(SCOPES)
        if scope == "point":
            return Interruption(scope, dice.choice((1, 1, 2)), dice.choice(DEATHS))
        return Interruption(scope, dice.randint(1, 60) if scope == "loop line" else dice.randint(1, 3_000))

    def _describe(self, worker: Worker) -> str:
        said = [f"writes the host {worker.spelling!r}"] if worker.spelling else []
        if worker.death:
            said.append(f"dies at {worker.nth}. {worker.death!r}")
        if worker.interruption:
            said.append(
                f"is interrupted at {worker.interruption.nth}. {worker.interruption.scope} "
                f"{worker.interruption.point}".rstrip()
            )
        if worker.mistake:
            said.append(f"has a mistake at {worker.mistake!r}{' and exits' if worker.exits else ''}")
        said += [
            f"its {name} has room for {room} writes"
            for name, room in (("journal", worker.journal_room), ("storage", worker.room))
            if room is not None
        ]
        return "".join(f", {what}" for what in said)

    def _note_worker(self, worker: Worker) -> None:
        if worker.dead:
            self.met[f"death {worker.death}"] += 1
        if worker.interruption is not None and worker.interruption.happened:
            self.met[f"interruption at a {worker.interruption.scope}"] += 1
        if worker.mistake_happened:
            self.met[f"mistake at {worker.mistake}"] += 1
        self.met["full journal"] += worker.journal_is_full
        self.met["full storage"] += worker.storage_is_full
        self.met["host spelled otherwise"] += bool(worker.spelling)

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
            name, reply = self._draw_post(call) if call.kind == "post" else self._draw_read(call)
            lacks = f", lacks {sorted(reply.hidden)}" if reply.hidden else ""
            status = f" {reply.status}" if reply.status else ""
            books = f", in the books at {self._show(reply.commit_at)}" if call.kind == "post" else ""
            books += f" and again at {self._show(reply.repeat_at)}" if reply.repeat_at is not None else ""
            self._tell(f"{call.actor} {call.kind} {call.number}: {name}{status}{books}{lacks}")
            self.met["posts"] += call.kind == "post"
            if name != "normal":
                self.met[f"{call.kind} {name}"] += 1
                self.met[f"{call.kind} {name}{status}"] += bool(status)
        return reply

    def _is_hit(self) -> bool:
        return not self.calm and self.dice.random() < self.roughness

    def _draw_read(self, call: Call) -> tuple[str, Reply]:
        name, reply = "normal", Reply()
        if self._is_hit():
            name, reply = draw_read(self.dice, call.kind, self.books.visible())
        if call.kind in ("list", "day"):
            behind = {one.id for one in self.books.visible() if not self.calm and one.due + self.lag > self.now}
            self.met["list lags"] += bool(behind - reply.hidden)
            reply = replace(reply, hidden=reply.hidden | behind)
            self._note_list(call, reply)
        return name, reply

    def _note_list(self, call: Call, reply: Reply) -> None:
        """Note whom a list misleads: who cannot know better."""
        if call.kind == "list":
            readings = self.judge.readings.setdefault(call.actor, Readings())
            readings.begun = self.now if readings.begun is None else readings.begun
            readings.lied |= bool(reply.hidden)
        hidden = {one.number for one in self.books.visible() if one.id in reply.hidden}
        for number in hidden:
            row = self.judge.journal.get([number.casefold()]).get(number.casefold())
            if not is_plain_number(number) and (row is None or row.state != JournalState.CREATED):
                self.excuses.misled.add(number.casefold())

    def _draw_post(self, call: Call) -> tuple[str, Reply]:
        if self._workers[call.actor].dies_in_flight:
            name, when = "lost", self.dice.choice(("never", "now", "within", "late"))
        else:
            name, when = self.dice.choice(POST_FAULTS) if self._is_hit() else ("normal", "now")
        settles_at = self._settles_at(call)
        within = self.now + self.dice.choice((self.dice.random(), 1.0)) * max(0.0, settles_at - self.now)
        late = max(self.now, settles_at) + self.dice.uniform(1, 3 * SETTLE)
        due = {"never": None, "now": self.now, "within": within, "late": late}[when]
        repeat = self.dice.choice((self.now, within, late)) if name.startswith("repeated") else None
        answer = {"repeated": "normal", "repeated, lost": "lost"}.get(name, name)
        reply = Reply(answer, due, draw_status(self.dice, answer), repeat)
        self._note_post(call, reply, settles_at)
        return name, reply

    def _note_post(self, call: Call, reply: Reply, settles_at: float) -> None:
        key, due = call.number.casefold(), reply.commit_at
        if reply.repeat_at is not None:
            self.excuses.repeated.add(key)
        if due is None:
            return
        if due > settles_at:
            self.excuses.late.add(key)
        if reply.answer in ("refused", "refused_xml", "token"):
            self.excuses.contradicted.add(key)
        if reply.answer == "empty_refusal" and due > self.now:
            self.excuses.deferred.add(key)

    def _settles_at(self, call: Call) -> float:
        """Until when this POST's document must be in the books for the guarantee to hold."""
        claimed = self._workers[call.actor].claims[call.number.casefold()]
        return (claimed.settles_at or 0.0) - self.settle_time + SETTLE

    def _pass_time(self, seconds: float) -> None:
        self.now += seconds

    def _tell(self, what: str) -> None:
        self.log.append(f"{self.now - START:10.1f}  {what}")

    @staticmethod
    def _show(moment: float | None) -> str:
        return "no time" if moment is None else f"{moment - START:.1f}"
