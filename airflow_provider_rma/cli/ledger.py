"""``rma ledger``: what is to be known before the ledger is carried out."""

from __future__ import annotations

import click

from airflow_provider_rma.cli.airflow import conn_option, hook_of
from airflow_provider_rma.cli.output import emit, json_option, table


@click.group()
def ledger() -> None:
    """Plan extracts of the general ledger."""


@ledger.command()
@conn_option
@click.option("--from", "from_date", metavar="DAY", help="A day in the first month; 90 days before --to if not given.")
@click.option("--to", "to_date", metavar="DAY", help="A day in the last month, inclusive; today if not given.")
@click.option(
    "--content-type",
    type=click.Choice(["xml", "json"]),
    default="xml",
    show_default=True,
    help="Form in which the extract will read.",
)
@json_option
def estimate(conn_id: str, from_date: str | None, to_date: str | None, content_type: str, as_json: bool) -> None:
    """Estimate requests, postings and time of an extract.

    The first, the middle and the last month of the period are read as the extract would read them; nothing is written.
    """
    hook = hook_of(conn_id)
    from airflow_provider_rma.ledger.estimate import estimate_ledger

    with hook.get_conn() as client:
        found = estimate_ledger(
            client,
            from_date=from_date,
            to_date=to_date,
            content_type="json" if content_type == "json" else "xml",
        )
    if as_json:
        emit(found.as_dict())
        return
    click.echo(found)
    click.echo()
    table(
        ["MONTH", "POSTINGS", "CALLS", "SECONDS"],
        [[one.month, one.postings, one.calls, f"{one.seconds:.1f}"] for one in found.probes],
        right=["POSTINGS", "CALLS", "SECONDS"],
    )
