"""The sub-command ``seed``: arguments, progress on stderr, one line of summary on stdout."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from airflow_provider_rma.simulator.seed.calendar import SeedPlan
from airflow_provider_rma.simulator.seed.run import seed


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="rma-simulator seed",
        description="Build the books of an invented company, the same for the same arguments.",
    )
    add, usual = parser.add_argument, SeedPlan()
    add("--db", type=Path, required=True, help="SQLite file of the books; must not exist")
    add("--customers", type=_read_count, default=usual.customers, help="customers (default: %(default)s)")
    add("--invoices", type=_read_count, default=usual.invoices, help="sales documents (default: %(default)s); "
        "about 8 postings each, with payments, purchases and vouchers")  # fmt: skip
    add("--months", type=_read_months, default=usual.months, help="months of business (default: %(default)s)")
    add("--start", type=_read_month, default=usual.start, metavar="YYYY-MM", help="first month (default: 2023-01)")
    add("--seed", type=int, default=usual.seed, help="another number, other books (default: %(default)s)")
    add("--payments", type=_read_share, default=usual.payments, metavar="SHARE",
        help="share of the invoices that get paid in time, 0 to 1 (default: %(default)s)")  # fmt: skip
    add("--unbalanced", type=_read_count, default=usual.unbalanced, metavar="N",
        help="vouchers that are off by a rappen, as in some real books (default: %(default)s)")  # fmt: skip
    return parser


def _read_count(text: str) -> int:
    if not re.fullmatch("[0-9]{1,9}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0")
    return int(text)


def _read_months(text: str) -> int:
    if not 1 <= _read_count(text) <= 1200:
        raise argparse.ArgumentTypeError(f"{text!r} is not between 1 and 1200")
    return int(text)


def _read_share(text: str) -> float:
    if not re.fullmatch(r"0|1|[01]?\.[0-9]+", text) or float(text) > 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not between 0 and 1")
    return float(text)


def _read_month(text: str) -> date:
    if not re.fullmatch("(19|20)[0-9]{2}-(0[1-9]|1[0-2])", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a month like 2023-01")
    return date.fromisoformat(f"{text}-01")


def _report(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main(arguments: Sequence[str]) -> int:
    """Seed books; returns the exit status.

    :param arguments: what follows the word ``seed``.
    """
    given = vars(_parser().parse_args(arguments))
    path = given.pop("db")
    try:
        print(seed(path, SeedPlan(**given), _report))
    except (OSError, ValueError) as error:
        print(f"The books could not be seeded: {error}", file=sys.stderr)
        return 1
    return 0
