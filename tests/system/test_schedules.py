"""Billing under thousands of schedules of faults, deaths, retries and workers at the same time."""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_rma.billing.journal.store import Journal
from tests.support.scope import scaled
from tests.support.system.chaos import run, run_in_processes
from tests.support.system.faults import LIST_FAULTS, POST_FAULTS, READ_FAULTS
from tests.support.system.interruptions import SCOPES
from tests.support.system.journal_engines import JournalEngines
from tests.support.system.schedules import Schedule
from tests.support.system.service import BooksServer
from tests.support.system.workers import DEATHS

SCHEDULES = int(os.environ.get("CHAOS_SCHEDULES", scaled(200, 2000)))
FIRST = int(os.environ.get("CHAOS_FIRST", "0"))
PROCESSES = scaled(1, 2)


def test_nothing_is_booked_twice_and_nothing_is_lost(searched: Callable[[str], None]) -> None:
    searched(f"{SCHEDULES} schedules from seed {FIRST}")
    tally = run_in_processes(FIRST, SCHEDULES, PROCESSES, seconds=3600)
    assert tally.schedules == SCHEDULES
    assert not tally.failures, "\n\n".join(tally.failures[:3])
    # That it held says something only if everything was met.
    wanted = [f"death {point}" for point in DEATHS]
    wanted += [f"post {answer}" for answer, _ in POST_FAULTS if answer != "normal"]
    wanted += [f"{kind} {answer}" for kind in ("list", "get") for answer in READ_FAULTS]
    wanted += [f"list {answer}" for answer in LIST_FAULTS]
    wanted += [f"interruption at a {scope}" for scope in SCOPES]
    wanted += ["full journal", "full storage", "host spelled otherwise"]
    wanted += ["list lags", "misled numbers", "named twice"]
    wanted += ["outcome duplicate", "outcome unknown taken", "outcome held", "outcome rejected", "late numbers"]
    assert [what for what in wanted if not tally.met[what]] == []


def test_a_settle_time_that_is_too_short_is_noticed() -> None:
    # Few schedules book late enough for this to matter; it begins shortly before one that does.
    stories = run(600, 1000, settle_time=0.0, stop_at_failure=True).failures
    assert any("in the books 2 times" in story for story in stories)


def test_a_claim_that_is_not_written_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The schedules see a POST without a claim: what they prove, they prove of the journal."""
    real = Journal.claim

    def forgetful(self: Journal, *args: Any, **values: Any) -> Any:
        entry = real(self, *args, **values)
        if entry is not None:
            self._change(entry, {"state": "released", "settles_at": None}, None)
        return entry

    monkeypatch.setattr(Journal, "claim", forgetful)
    stories = run(0, 60, stop_at_failure=True).failures
    assert any("in the books 2 times" in story for story in stories)


def test_a_seed_tells_the_same_story_twice(tmp_path: Path) -> None:
    told = 0
    with BooksServer() as server:
        for seed in count():
            stories = []
            for attempt in (1, 2):
                folder = tmp_path / f"{seed}-{attempt}"
                schedule = Schedule(seed, server, JournalEngines(folder))
                schedule.run()
                if not schedule.is_repeatable:
                    break
                stories.append(schedule.log)
            if len(stories) == 2:
                told += 1
                assert stories[0] == stories[1]
            if told == 10:
                return
