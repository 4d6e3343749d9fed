"""Many schedules: ``python -m tests.support.system.chaos --schedules 20000``, or ``make chaos``.

A failure names its seed and tells its story; ``--first SEED --schedules 1 --processes 1`` repeats it.
"""

from __future__ import annotations

import argparse
import json
import logging
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.system.journal_engines import JournalEngines
from tests.support.system.schedules import SETTLE, Schedule
from tests.support.system.service import BooksServer

_MEMORY = Path("/dev/shm")


@dataclass
class Tally:
    """What schedules came to.

    :ivar met: how often which fault, death and outcome occurred.
    :ivar failures: a story for each schedule in which something did not hold.
    """

    schedules: int = 0
    met: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Add another tally."""
        self.schedules += other.schedules
        self.met.update(other.met)
        self.failures += other.failures


def run(
    first: int,
    schedules: int,
    *,
    seconds: float = float("inf"),
    step: int = 1,
    settle_time: float = SETTLE,
    stop_at_failure: bool = False,
) -> Tally:
    """Carry out schedules in this process.

    :param first: seed of the first; the others follow in steps of ``step``.
    :param seconds: no further one begins after so many.
    :param stop_at_failure: no further one begins after the first that failed.
    """
    tally = Tally()
    end = time.monotonic() + seconds
    # In memory where there is any: what is proven here is what is written when, not that a disk keeps it.
    with tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None) as folder, BooksServer() as server:
        engine = JournalEngines(Path(folder))
        for seed in range(first, first + schedules * step, step):
            if time.monotonic() > end or (stop_at_failure and tally.failures):
                break
            schedule = Schedule(seed, server, engine, settle_time=settle_time)
            try:
                schedule.run()
            except AssertionError as error:
                tally.failures.append(str(error))
            tally.schedules += 1
            tally.met.update(schedule.met)
            tally.met["misled numbers"] += len(schedule.excuses.misled)
            tally.met["late numbers"] += len(schedule.excuses.late)
    return tally


def run_in_processes(first: int, schedules: int, processes: int, *, seconds: float) -> Tally:
    """Carry out schedules, shared among processes."""
    command = [sys.executable, "-m", "tests.support.system.chaos", "--processes", "1", "--json"]
    started = []
    for number in range(processes):
        share = (schedules - number + processes - 1) // processes
        given = ["--first", str(first + number), "--schedules", str(share), "--step", str(processes)]
        arguments = [*command, *given, "--seconds", str(seconds)]
        started.append(subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
    total = Tally()
    for process in started:
        out, err = process.communicate()
        if not out:
            raise RuntimeError(f"a process ended with {process.returncode}:\n{err}")
        total.add(Tally(**json.loads(out)))
    return total


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; 1 if something did not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, default=0, help="seed of the first schedule")
    parser.add_argument("--schedules", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=3600.0, help="no further schedule begins after so many")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--stop", action="store_true", help="end at the first that fails; for one process")
    parser.add_argument("--step", type=int, default=1, help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true", help="print the tally for a program")
    given = parser.parse_args(arguments)
    logging.disable(logging.CRITICAL)
    begin = time.monotonic()
    if given.processes > 1:
        tally = run_in_processes(given.first, given.schedules, given.processes, seconds=given.seconds)
    else:
        tally = run(given.first, given.schedules, seconds=given.seconds, step=given.step, stop_at_failure=given.stop)
    if given.json:
        lines = [json.dumps(vars(tally))]
    else:
        lines = [f"{tally.schedules} schedules in {time.monotonic() - begin:.0f} s, {len(tally.failures)} failed"]
        lines += [f"{count:8} {what}" for what, count in sorted(tally.met.items())]
        lines += tally.failures[:3]
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if tally.failures else 0


if __name__ == "__main__":
    sys.exit(main())
