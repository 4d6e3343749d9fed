"""``rma journal import``: record what a script has billed before."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from airflow_provider_rma.billing.records.parameters import check_encoding
from airflow_provider_rma.cli.airflow import conn_option, get_hook, open_journal, storage_folder, tenant_folder
from airflow_provider_rma.cli.output import NEEDS_ATTENTION, json_option, print_json, print_table
from airflow_provider_rma.exceptions import ConfigurationError
from airflow_provider_rma.formatting import format_amount
from airflow_provider_rma.schemas.notation import Notation

if TYPE_CHECKING:
    from airflow_provider_rma.billing.files import RunFolder
    from airflow_provider_rma.billing.journal_import.model import ImportReport, MatchedInvoice
    from airflow_provider_rma.billing.records.model import Record, RefusedRecord

_DAY = click.DateTime(["%Y-%m-%d"])


@click.command("import")
@click.option("--from", "first", type=_DAY, required=True, metavar="DAY", help="First invoice date, inclusive.")
@click.option("--to", "last", type=_DAY, required=True, metavar="DAY", help="Last invoice date, inclusive.")
@click.option("--source", metavar="FILE", help="What the script was given: JSON, NDJSON, CSV or Parquet; path or URL.")
@click.option("--sql-conn", metavar="CONN_ID", help="Instead: Airflow connection of the database it is read from,")
@click.option(
    "--sql", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE", help="and the query."
)
@click.option("--encoding", metavar="NAME", help="Encoding of a text file, e.g. windows-1252; UTF-8 if left out.")
@click.option("--number-format", metavar="EXAMPLE", help="How the source writes amounts as text, e.g. 1'234.50.")
@click.option("--date-format", metavar="PATTERN", help="How the source writes dates as text, e.g. DD.MM.YYYY.")
@click.option("--input-timezone", metavar="ZONE", help="Zone in which date-times of the source name a day.")
@conn_option
@click.option("--write", is_flag=True, help="Journal what matches, and block what is probably booked already.")
@click.option(
    "--accept",
    "accepted",
    multiple=True,
    metavar="NUMBER",
    help="This probable duplicate is an invoice of its own: a later run may bill it. May be repeated.",
)
@click.option(
    "--by", "who", metavar="WHO", help="Who accepts; kept in the journal. The user of this machine if not given."
)
@click.option(
    "--report",
    "report_folder",
    metavar="FOLDER",
    help="Folder for the file with all findings; the tenant's if not given.",
)
@json_option
@click.pass_context
def import_(
    ctx: click.Context,
    first: datetime,
    last: datetime,
    source: str | None,
    sql_conn: str | None,
    sql: Path | None,
    encoding: str | None,
    number_format: str | None,
    date_format: str | None,
    input_timezone: str | None,
    conn_id: str,
    write: bool,
    accepted: tuple[str, ...],
    who: str | None,
    report_folder: str | None,
    as_json: bool,
) -> None:
    """Compare what a script was given with what the books hold.

    Posts nothing. Without --write only reports; with it, what matches is journalled as booked, and what is probably
    booked under another number is not sent by any run until a person has decided.

    Exit code 1 if anything but matches was found.
    """
    from airflow_provider_rma.billing.journal_import.run import JournalImport

    hook = get_hook(conn_id)
    notation = Notation(number_format, date_format)
    records = _records(source, sql_conn, sql, check_encoding(encoding))
    with hook.get_conn() as client:
        report = JournalImport(
            client=client,
            journal=open_journal(hook, "invoice", "import"),
            output=_output(report_folder, conn_id, first, last),
            first=first.date(),
            last=last.date(),
            write=write,
            accepted=accepted,
            who=(who or getpass.getuser()).strip(),
            input_timezone=input_timezone,
            notation=notation,
        ).run(records)
    if as_json:
        print_json(_values(report))
    else:
        _print(report)
    if not report.is_clean:
        ctx.exit(NEEDS_ATTENTION)


def _records(
    source: str | None, sql_conn: str | None, sql: Path | None, encoding: str | None
) -> Iterator[Record | RefusedRecord]:
    from airflow_provider_rma.billing.records.columns import INVOICE_COLUMNS
    from airflow_provider_rma.billing.records.files import read_file
    from airflow_provider_rma.billing.records.nesting import nest_rows
    from airflow_provider_rma.hooks.sql import query

    if (source is None) == (sql_conn is None) or (sql_conn is None) != (sql is None):
        raise ConfigurationError(
            "The source is not clear.", advice="Give --source FILE, or --sql-conn CONN_ID together with --sql FILE."
        )
    if source is not None:
        path = storage_folder(source)
        return read_file(path.fs, path.path, INVOICE_COLUMNS, encoding=encoding, url=str(path))
    assert sql_conn is not None and sql is not None  # noqa: S101, PT018 - checked above
    return nest_rows(query(sql_conn, sql.read_text(encoding="utf-8"), None, INVOICE_COLUMNS), key="invnumber")


def _output(report_folder: str | None, conn_id: str, first: datetime, last: datetime) -> RunFolder:
    from airflow_provider_rma.billing.files import IMPORT_FOLDER, RunFolder
    from airflow_provider_rma.hooks.settings import file_mode

    folder = (
        storage_folder(report_folder)
        if report_folder
        else tenant_folder(conn_id) / IMPORT_FOLDER / f"{first:%Y-%m-%d}_{last:%Y-%m-%d}"
    )
    return RunFolder(folder.fs, folder.path, str(folder), file_mode())


def _values(report: ImportReport) -> dict[str, Any]:
    return {
        "from": report.first.isoformat(),
        "to": report.last.isoformat(),
        "source": report.source,
        "outside": report.outside,
        "read": report.read,
        "counts": dict(report.counts),
        "totals": {kind: f"{total:.2f}" for kind, total in report.totals.items()},
        "fields": dict(report.fields),
        "blocked": report.blocked,
        "journalled": asdict(report.imported) if report.imported else None,
        "accepted_without_need": list(report.accepted_without_need),
        "path": report.path,
    }


def _print(report: ImportReport) -> None:
    from airflow_provider_rma.billing.journal_import.model import MatchKind

    period = f"Period {report.first} to {report.last}"
    click.echo(f"{period}: {report.source} invoices in the source. The books hold {report.read} in all.")
    if report.outside:
        click.echo(f"{report.outside} invoices of the source lie outside of the period and are not compared.")
    click.echo()
    rows = [
        [kind.replace("_", " "), report.counts[kind], _amount(report, kind), kind.meaning]
        for kind in MatchKind
        if report.counts[kind]
    ]
    print_table(["KIND", "INVOICES", "CHF", "WHAT"], rows, right=["INVOICES", "CHF"])
    if report.fields:
        fields = ", ".join(f"{name} {count}" for name, count in report.fields.most_common())
        click.echo(f"\nFields that differ: {fields}")
    for kind, invoices in report.named.items():
        _print_invoices(kind, invoices, report.counts[kind])
    click.echo()
    _print_journal(report)
    click.echo(f"All findings: {report.path}")


def _amount(report: ImportReport, kind: str) -> str | None:
    total = report.totals.get(kind)
    return None if total is None else format_amount(total)


def _print_invoices(kind: str, invoices: list[MatchedInvoice], count: int) -> None:
    if not invoices:
        return
    click.echo(f"\n{kind.replace('_', ' ').capitalize()}:")
    for invoice in invoices:
        name = invoice.number or f"record {invoice.position}"
        text = ", ".join(invoice.fields) if invoice.fields else _reason(invoice)
        click.echo(f"  {name}: {text}" if text else f"  {name}")
    if count > len(invoices):
        click.echo(f"  and {count - len(invoices)} more")


def _reason(invoice: MatchedInvoice) -> str:
    """Why, where the heading does not say it already."""
    return "" if invoice.kind in ("missing", "extra") else "; ".join(invoice.reasons)


def _print_journal(report: ImportReport) -> None:
    if report.imported is None:
        click.echo("Nothing was journalled: this is a report. Repeat it with --write.")
    else:
        counts = report.imported
        click.echo(f"Journalled as booked: {counts.added + counts.resolved} (known before: {counts.known}).")
    if report.blocked:
        verb = "Not sent by any run" if report.imported else "With --write, not sent by any run"
        click.echo(
            f"{verb} until somebody decides: {report.blocked}. Look them up in RMA, then say\n"
            "  rma journal import … --write --accept NUMBER     or  rma journal resolve NUMBER --as absent\n"
            "if it is an invoice of its own, else                   rma journal resolve NUMBER --as booked"
        )
    if report.accepted_without_need:
        click.echo(f"Accepted without need, nothing was to be decided about: {', '.join(report.accepted_without_need)}")
