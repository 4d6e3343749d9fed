"""Products with one mistake each, to see that the schedules find it: ``python -m tests.support.system.mutants``.

A mutant is a copy of the package in which one piece of text is replaced. The search runs over it in a process of its
own, from a seed on, until a schedule fails.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path(__file__).parents[3]
_PACKAGE = "airflow_provider_rma"

#: Where the search begins.
FIRST = 100_000


@dataclass(frozen=True)
class Mutant:
    """A mistake.

    :param name: what the product does wrong.
    :param module: file below the package.
    :param old: text that is there exactly once.
    :param new: text in its place.
    :param is_quick: whether few schedules find it.
    """

    name: str
    module: str
    old: str
    new: str
    is_quick: bool = False


@dataclass(frozen=True)
class Finding:
    """What a search came to.

    :param schedules: how many it took; None if none of them failed.
    :param message: what did not hold.
    """

    schedules: int | None
    message: str
    seconds: float


MUTANTS = (
    Mutant(
        "an HTML page under a 4xx counts as the service's refusal",
        "client/errors.py",
        "text = None if response.is_html() else response.error_text()",
        'text = response.error_text() or ("page" if response.is_html() and 400 <= response.status < 500 else None)',
    ),
    Mutant(
        "a 4xx without a word is final",
        "client/errors.py",
        "            is_final = text is not None and status in _FINAL\n            return RejectedError("
        '"the service refused the request", advice=_REJECTED, is_final=is_final)\n        return Outcome',
        "            is_final = True\n            return RejectedError("
        '"the service refused the request", advice=_REJECTED, is_final=is_final)\n        return Outcome',
        is_quick=True,
    ),
    Mutant(
        "after a 401 or 403 nothing is read back",
        "billing/sender.py",
        'return SendAttempt(row, doubt=f"{error.message} (HTTP {error.status})", failure=error)',
        'raise ConnectionNotMadeError("refused") from error',
        is_quick=True,
    ),
    Mutant(
        "the list is trusted, whatever it lacks",
        "billing/planner.py",
        "return lookup.read_list(self.journal.booked_keys(started), newest)",
        "return lookup.read_list(set(), newest)",
        is_quick=True,
    ),
    Mutant(
        "a list that lacks what is in doubt is trusted",
        "billing/lookup.py",
        "if not (self._finds_doubts() or is_incomplete):",
        "if not is_incomplete:",
    ),
    Mutant(
        "documents of earlier runs that are there twice are not named",
        "billing/planner.py",
        "for booked in islice(self.findings.repeated.values(), MAX_NAMED):",
        "for booked in islice(self.findings.repeated.values(), 0):",
        is_quick=True,
    ),
    Mutant(
        "an error of ours after sending means that nothing was sent",
        "billing/sender.py",
        '        except Exception as error:\n            log.exception("An unexpected error while %s was sent."',
        '        except Exception as error:\n            raise ConnectionNotMadeError("a mistake") from error\n'
        '            log.exception("An unexpected error while %s was sent."',
        is_quick=True,
    ),
    Mutant(
        "`held` is said without asking the journal",
        "billing/send_queue.py",
        "claimed = self.sender.claimed(documents)",
        "claimed = set[str]()",
        is_quick=True,
    ),
    Mutant(
        "an interrupted run does not wait for what is under way",
        "billing/send_queue.py",
        "                self._done.wait(1.0)\n            except",
        "                break\n            except",
        is_quick=True,
    ),
    Mutant(
        "a doubt is released at once",
        "billing/sender.py",
        "self._record_or_log(row, JournalState.UNKNOWN, note=reason)",
        "self._record_or_log(row, JournalState.RELEASED, note=reason)",
    ),
    Mutant(
        "what was accepted is created, without being found",
        "billing/sender.py",
        'return self._unknown(document, attempt.row, f"{attempt.said}, but not in {self.kind.place} yet")',
        "return DocumentResult(document.position, document.number, Outcome.CREATED)",
        is_quick=True,
    ),
    Mutant(
        "a doubt is not waited for until its settle time",
        "billing/journal/model.py",
        "return self.state in OPEN and self.settles_at is not None and self.settles_at > now",
        "return self.state in OPEN and self.settles_at is not None and self.settles_at - 200 > now",
    ),
    Mutant(
        "a claim does not see that the row was changed",
        "billing/journal/store.py",
        "JOURNAL.c.key == seen.key, JOURNAL.c.version == seen.version)",
        "JOURNAL.c.key == seen.key)",
    ),
    Mutant(
        "each spelling of a host is another service",
        "client/config.py",
        "return canonical_origin(self.host)",
        'return self.host.strip().rstrip("/")',
        is_quick=True,
    ),
    Mutant(
        "the evidence of a run that was stopped lacks its documents",
        "billing/run_record.py",
        "return (result.as_dict() for result, _ in self.results())",
        "return (result.as_dict() for result, _ in self.results() if not self.stopped)",
        is_quick=True,
    ),
)


def search(mutant: Mutant, *, first: int = FIRST, schedules: int = 1_000) -> Finding:
    """Search a mutant until a schedule fails.

    :raises ValueError: if the text to be replaced is not there exactly once: the product has changed.
    """
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name in (_PACKAGE, "tests/support"):
            shutil.copytree(_ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
        (root / "tests" / "__init__.py").touch()
        module = root / _PACKAGE / mutant.module
        text = module.read_text()
        if text.count(mutant.old) != 1:
            raise ValueError(f"{mutant.name}: {mutant.module} holds the text {text.count(mutant.old)} times")
        module.write_text(text.replace(mutant.old, mutant.new))
        command = [sys.executable, "-m", "tests.support.system.chaos", "--processes", "1", "--json", "--stop"]
        command += ["--first", str(first), "--schedules", str(schedules)]
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
        if not done.stdout:
            raise RuntimeError(done.stderr)
    tally = json.loads(done.stdout)
    message = tally["failures"][0].splitlines()[0] if tally["failures"] else ""
    return Finding(tally["schedules"] if message else None, message, time.monotonic() - begin)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a table; 1 if a mutant is not found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, default=FIRST)
    parser.add_argument("--schedules", type=int, default=1_000)
    parser.add_argument("--only", default="", help="mutants whose name holds this text")
    given = parser.parse_args(arguments)
    failed = 0
    for mutant in MUTANTS:
        if given.only not in mutant.name:
            continue
        finding = search(mutant, first=given.first, schedules=given.schedules)
        failed += finding.schedules is None
        sys.stdout.write(
            f"| {mutant.name} | {finding.schedules} | {finding.seconds:.0f} s | {finding.message[:150]} |\n"
        )
        sys.stdout.flush()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
