"""``rma doctor``: is everything in place, and what to do if not."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

import click

from airflow_provider_rma.billing.storage import try_folder, try_temporary_folder
from airflow_provider_rma.cli.airflow import conn_option, get_hook, open_journal_database, tenant_folder
from airflow_provider_rma.cli.output import NEEDS_ATTENTION, json_option, print_json
from airflow_provider_rma.exceptions import RequestError, RunMyAccountsError, StorageError
from airflow_provider_rma.formatting import format_span

if TYPE_CHECKING:
    from sqlalchemy.engine import URL, Engine

    from airflow_provider_rma.hooks.rma import RunMyAccountsHook

_PACKAGES = ("airflow-provider-rma", "apache-airflow", "SQLAlchemy", "marshmallow", "requests", "lxml")

#: Clocks this far apart (seconds) are worth a look: times in outcomes and logs are then hard to read together.
_CLOCK_TOLERANCE = 30.0


class Level(StrEnum):
    """How serious a finding is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Check:
    """One line of the doctor's findings.

    :param advice: what to do; empty if all is well.
    """

    level: Level
    name: str
    text: str
    advice: str = ""


@click.command()
@conn_option
@json_option
@click.pass_context
def doctor(ctx: click.Context, conn_id: str, as_json: bool) -> None:
    """Check connection, clocks, journal, storage, temporary folder and versions. Posts nothing.

    Exit code 1 if anything fails; warnings alone leave it 0.
    """
    checks = []
    for check in _checks(conn_id):
        checks.append(check)
        if not as_json:
            click.echo(f"{check.level:4}  {check.name:10}  {check.text}")
            if check.advice:
                click.echo(f"{'':18}{check.advice}")
    if as_json:
        print_json([asdict(check) for check in checks])
    if any(check.level == Level.FAIL for check in checks):
        ctx.exit(NEEDS_ATTENTION)


def _checks(conn_id: str) -> Iterator[Check]:
    yield _versions()
    hook: RunMyAccountsHook | None = None
    try:
        hook = get_hook(conn_id)
    except RunMyAccountsError as error:
        yield Check(Level.FAIL, "connection", error.message, error.advice)
    if hook is not None:
        yield from _connection(hook)
    yield from _safely("journal", lambda: _journal(hook))
    yield from _safely("storage", lambda: _storage(conn_id if hook else None))


def _safely(name: str, checks: Callable[[], Iterator[Check]]) -> Iterator[Check]:
    """The checks, or one that says why they could not be made."""
    try:
        yield from checks()
    except RunMyAccountsError as error:
        yield Check(Level.FAIL, name, error.message, error.advice)


def _versions() -> Check:
    found = []
    for package in _PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            return Check(Level.FAIL, "versions", f"{package} is not installed.", f"Install {package}.")
    return Check(Level.OK, "versions", ", ".join(found))


def _connection(hook: RunMyAccountsHook) -> Iterator[Check]:
    config = hook.config
    answered, sentence = hook.test_connection()
    if answered:
        yield Check(Level.OK, "connection", f"{config.origin} answered for tenant {config.tenant}.")
        yield from _service_clock(hook)
    else:
        yield Check(Level.FAIL, "connection", sentence)
    if config.allow_writes:
        yield Check(Level.OK, "writes", "Armed: tasks with this connection can book.")
    else:
        advice = "If tasks shall book, set the connection's extra allow_writes to true."
        yield Check(Level.WARN, "writes", "Read-only: every write is refused before anything is sent.", advice)
    if config.closed_until is None:
        advice = "Set the extra closed_until to the last day that your accountant has closed."
        yield Check(Level.WARN, "closed", "No closing date is known: the service alone would refuse.", advice)
    else:
        yield Check(Level.OK, "closed", f"Documents dated until {config.closed_until} are refused.")


def _service_clock(hook: RunMyAccountsHook) -> Iterator[Check]:
    try:
        with hook.get_conn() as client:
            before = datetime.now(UTC)
            there = client.ping()
    except RequestError as error:
        yield Check(Level.WARN, "clock", f"It was not told: {error.message}", error.advice)
        return
    if there is not None:
        yield _compare_clocks("clock", (there - before).total_seconds(), "the service's")


def _compare_clocks(name: str, ahead: float, whose: str) -> Check:
    if abs(ahead) <= _CLOCK_TOLERANCE:
        return Check(Level.OK, name, f"This machine's and {whose} agree ({abs(ahead):.0f} s apart).")
    where = "ahead of" if ahead > 0 else "behind"
    text = f"{whose} is {format_span(ahead)} {where} this machine's."
    return Check(Level.WARN, name, text[0].upper() + text[1:], "Set this machine's clock by NTP.")


def _journal(hook: RunMyAccountsHook | None) -> Iterator[Check]:
    from airflow_provider_rma.billing.journal.migrations import read_step
    from airflow_provider_rma.billing.journal.overview import read_overview

    engine = open_journal_database()
    chosen = {"base_url": hook.config.origin, "tenant": hook.config.tenant} if hook else {}
    seen = read_overview(engine, **chosen)
    rows = sum(sum(counts.values()) for counts in seen.counts.values())
    _try_journal(engine, bool(read_step(engine)))
    yield Check(Level.OK, "journal", f"{_name_database(engine.url)}, schema {read_step(engine)}, {rows} rows.")
    yield _compare_clocks("db clock", seen.now - time.time(), "the journal's")
    settled = [doubt for doubt in seen.doubts if not doubt.alive]
    if settled:
        text = f"{_documents(len(settled))} in doubt although the settle time is over."
        advice = "Clear the task or run the DAG again: it decides by reading. `rma journal status` lists them."
        yield Check(Level.WARN, "doubts", text, advice)
    elif seen.doubts:
        advice = "`rma journal status` says until when."
        yield Check(Level.WARN, "doubts", f"{_documents(len(seen.doubts))} being sent or not settled yet.", advice)
    else:
        yield Check(Level.OK, "doubts", "Nothing is in doubt.")


def _name_database(url: URL) -> str:
    """Name a database without user, password and options of the driver, in which there may be secrets."""
    from sqlalchemy.engine import make_url

    named = make_url(f"{url.get_backend_name()}://").set(host=url.host, port=url.port, database=url.database)
    return named.render_as_string(hide_password=True)


def _try_journal(engine: Engine, has_tables: bool) -> None:
    """Find out whether the journal can be written, without writing."""
    from airflow_provider_rma.billing.journal.engine import journal_errors, write_transaction

    with journal_errors(), write_transaction(engine) as connection:
        if has_tables:
            connection.exec_driver_sql("UPDATE rma_journal SET version = version WHERE 1 = 0")


def _documents(count: int) -> str:
    return "1 document is" if count == 1 else f"{count} documents are"


def _storage(conn_id: str | None) -> Iterator[Check]:
    from airflow_provider_rma.hooks.settings import file_mode, retention_days, storage_path

    folder = tenant_folder(conn_id) if conn_id else storage_path()
    try:
        try_folder(folder.fs, folder.path, str(folder), file_mode())
    except StorageError as error:
        yield Check(Level.FAIL, "storage", error.message, error.advice)
    else:
        yield Check(Level.OK, "storage", f"{folder} can be written.")
    try:
        try_temporary_folder()
    except StorageError as error:
        yield Check(Level.FAIL, "temporary", error.message, error.advice)
    else:
        yield Check(Level.OK, "temporary", f"{tempfile.gettempdir()} can be written.")
    yield Check(Level.OK, "retention", f"Plans, outcomes and rejects may be purged after {retention_days()} days.")
