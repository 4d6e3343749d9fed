"""``rma journal``: look into the journal, and resolve what is in doubt."""

from __future__ import annotations

from dataclasses import asdict
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import click

from airflow_provider_rma.cli.airflow import conn_option, get_hook, kind_option, open_journal, open_journal_database
from airflow_provider_rma.cli.journal_import import import_
from airflow_provider_rma.cli.output import NEEDS_ATTENTION, iso_time, json_option, local_time, print_json, print_table
from airflow_provider_rma.exceptions import FieldProblem, InvalidInputError
from airflow_provider_rma.formatting import format_amount, format_span

if TYPE_CHECKING:
    from airflow_provider_rma.billing.journal.model import Event, JournalRow
    from airflow_provider_rma.billing.journal.overview import OpenDocument, Overview


@click.group()
def journal() -> None:
    """Look into the journal of everything sent, and resolve what is in doubt."""


journal.add_command(import_)


@journal.command()
@click.option("--conn", "conn_id", metavar="CONN_ID", help="Only the tenant of this Airflow connection.")
@json_option
@click.pass_context
def status(ctx: click.Context, conn_id: str | None, as_json: bool) -> None:
    """Count rows by state, and list what is in doubt, over all tenants.

    Exit code 1 if a doubt has outlived its settle time: the tenant's next run decides it by reading, so none has run
    since, or it could not.
    """
    from airflow_provider_rma.billing.journal.overview import read_overview

    chosen: dict[str, str] = {}
    if conn_id:
        config = get_hook(conn_id).config
        chosen = {"base_url": config.origin, "tenant": config.tenant}
    seen = read_overview(open_journal_database(), **chosen)
    if as_json:
        print_json(_status_values(seen))
    else:
        _print_status(seen)
    if any(not doubt.alive for doubt in seen.doubts):
        ctx.exit(NEEDS_ATTENTION)


def _status_values(seen: Overview) -> dict[str, Any]:
    return {
        "now": iso_time(seen.now),
        "counts": [asdict(scope) | {"states": counts} for scope, counts in seen.counts.items()],
        "in_doubt": [asdict(doubt.scope) | row_values(doubt.row) | {"alive": doubt.alive} for doubt in seen.doubts],
        "not_on_record": [
            asdict(run.scope) | {"run": run.run, "started_at": iso_time(run.started_at), "documents": run.documents}
            for run in seen.unrecorded
        ],
    }


def _print_status(seen: Overview) -> None:
    from airflow_provider_rma.billing.journal.model import JournalState

    if not seen.counts:
        click.echo("The journal is empty.")
        return
    states = list(JournalState)
    print_table(
        ["SERVICE", "TENANT", "KIND", *(state.upper() for state in states)],
        [
            [scope.base_url, scope.tenant, scope.kind, *(counts.get(state, 0) for state in states)]
            for scope, counts in seen.counts.items()
        ],
        right=[state.upper() for state in states],
    )
    click.echo()
    _print_doubts(seen)
    if seen.unrecorded:
        click.echo(
            f"\nNot on record yet: {len(seen.unrecorded)}. Under way, or put on record by the tenant's next run."
        )
        print_table(
            ["TENANT", "KIND", "STARTED", "DOCUMENTS", "RUN"],
            [
                [run.scope.tenant, run.scope.kind, local_time(run.started_at), run.documents, run.run]
                for run in seen.unrecorded
            ],
            right=["DOCUMENTS"],
        )


def _print_doubts(seen: Overview) -> None:
    if not seen.doubts:
        click.echo("Nothing is in doubt.")
        return
    click.echo(f"In doubt: {len(seen.doubts)}")
    print_table(
        ["TENANT", "KIND", "NUMBER", "STATE", "SINCE", "ATTEMPTS", "NEXT", "RUN"],
        [
            [
                doubt.scope.tenant, doubt.scope.kind, doubt.row.number, doubt.row.state,
                local_time(doubt.row.updated_at), doubt.row.attempts, _next_step(doubt, seen.now), doubt.row.run,
            ]
            for doubt in seen.doubts
        ],
        right=["ATTEMPTS"],
    )  # fmt: skip


def _next_step(doubt: OpenDocument, now: float) -> str:
    if doubt.alive:
        return f"wait until {local_time(doubt.row.settles_at)}"
    settled = f" (settled {format_span(now - doubt.row.settles_at)} ago)" if doubt.row.settles_at is not None else ""
    return f"clear the task or run the DAG again{settled}"


@journal.command()
@click.argument("number")
@conn_option
@kind_option
@json_option
def show(number: str, conn_id: str, kind: str, as_json: bool) -> None:
    """Tell everything that happened to document NUMBER."""
    from airflow_provider_rma.billing.numbers import normalize_number

    store = open_journal(get_hook(conn_id), kind, "show")
    row = store.get([normalize_number(number)]).get(normalize_number(number))
    if row is None:
        raise InvalidInputError(
            [
                FieldProblem(
                    f"{kind} {number}",
                    f"tenant {store.scope.tenant} never sent it and never found it in the books",
                    "check the number, --conn and --kind",
                )
            ]
        )
    events = store.history(number)
    if as_json:
        print_json(asdict(store.scope) | row_values(row) | {"events": [_event_values(event) for event in events]})
        return
    _print_row(row, alive=row.is_alive(store.now()))
    click.echo()
    print_table(
        ["TIME", "BEFORE", "AFTER", "ATTEMPTS", "RUN", "NOTE"],
        [[local_time(event.at), event.before, event.after, event.attempts, event.run, event.note] for event in events],
        right=["ATTEMPTS"],
    )


def _format_total(amount: Decimal | None, currency: str | None) -> str | None:
    return None if amount is None else f"{format_amount(amount)} {currency or ''}".strip()


def _print_row(row: JournalRow, *, alive: bool) -> None:
    settles = local_time(row.settles_at)
    facts = {
        "Number": row.number,
        "State": f"{row.state} ({row.state.meaning})",
        "Document id": row.document_id,
        "Net": _format_total(row.net, row.currency),
        "Gross": _format_total(row.gross, row.currency),
        "Attempts": row.attempts,
        "Content": row.content_hash,
    }
    if alive:
        facts["Settles"] = f"{settles}: until then it may still appear in the books"
    width = max(map(len, facts))
    for name, value in facts.items():
        if value is not None:
            click.echo(f"{name.ljust(width)}  {value}")


@journal.command()
@click.argument("number")
@click.option(
    "--as",
    "conclusion",
    type=click.Choice(["booked", "absent"]),
    required=True,
    help="booked: it is in the books. absent: it is not, and the next run may send it.",
)
@click.option("--by", "who", required=True, help="Who decides; kept in the journal.")
@click.option("--reason", required=True, help="What the decision rests on; kept in the journal.")
@click.option("--force", is_flag=True, help="Also while it may still appear in the books, or if it is not in doubt.")
@conn_option
@kind_option
@json_option
def resolve(
    number: str, conclusion: Any, who: str, reason: str, force: bool, conn_id: str, kind: str, as_json: bool
) -> None:
    """Record what a person has found out about document NUMBER.

    Look it up in Run my Accounts first: what is declared absent is sent again by the next run.
    """
    for name, value in (("--by", who), ("--reason", reason)):
        if not value.strip():
            raise InvalidInputError([FieldProblem(name, "is empty", "the journal is read by others later")])
    store = open_journal(get_hook(conn_id), kind, "resolve")
    row = store.resolve(number, conclusion, who=who.strip(), reason=reason.strip(), force=force)
    if as_json:
        print_json(asdict(store.scope) | row_values(row))
        return
    click.echo(f"{kind} {row.number} of tenant {store.scope.tenant} is now {row.state} ({row.state.meaning}).")


@journal.command()
@conn_option
@json_option
@click.pass_context
def rebuild(ctx: click.Context, conn_id: str, as_json: bool) -> None:
    """Rebuild a lost journal from the books. Posts nothing.

    Reads all invoices of the tenant, and journals those whose internal notes end with a recovery tag, [rma …].
    Exit code 1 if a number stands on several documents.
    """
    from airflow_provider_rma.billing.journal.rebuild import rebuild_journal
    from airflow_provider_rma.billing.kinds.invoice import list_booked_invoices

    hook = get_hook(conn_id)
    store = open_journal(hook, "invoice", "rebuild")
    with hook.get_conn() as client:
        result = rebuild_journal(list_booked_invoices(client), store)
    counts = result.imported
    if as_json:
        print_json({"tenant": store.scope.tenant, "read": result.read, "tagged": result.tagged} | asdict(counts))
    else:
        print_table(
            ["IN THE BOOKS", "WITH A TAG", "ADDED", "RESOLVED", "KNOWN", "REPEATED"],
            [[result.read, result.tagged, counts.added, counts.resolved, counts.known, counts.repeated]],
        )
        if result.read > result.tagged:
            click.echo(
                f"\n{result.read - result.tagged} invoices carry no recovery tag: entered by hand, by another program, "
                "or with the tag switched off. A run that carries one of their numbers finds it in the books all the "
                "same."
            )
        if counts.repeated_numbers:
            click.echo("\nOn several documents, have all but one removed: " + ", ".join(counts.repeated_numbers))
    if counts.repeated:
        ctx.exit(NEEDS_ATTENTION)


def row_values(row: JournalRow) -> dict[str, Any]:
    """A row as JSON: times in ISO 8601, amounts as text; without what only workers need."""
    values = {name: value for name, value in asdict(row).items() if name not in ("key", "owner")}
    for name in ("settles_at", "created_at", "updated_at"):
        values[name] = iso_time(values[name])
    return values


def _event_values(event: Event) -> dict[str, Any]:
    return asdict(event) | {"at": iso_time(event.at)}
