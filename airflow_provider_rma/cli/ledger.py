"""``rma ledger``: estimate an extract of the ledger, and describe its warehouse to dbt."""

from __future__ import annotations

import click

from airflow_provider_rma.cli.airflow import conn_option, get_hook
from airflow_provider_rma.cli.output import json_option, print_json, print_table


@click.group()
def ledger() -> None:
    """Plan extracts of the general ledger, and describe their warehouse to dbt."""


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
    hook = get_hook(conn_id)
    from airflow_provider_rma.ledger.estimate import estimate_ledger

    with hook.get_conn() as client:
        found = estimate_ledger(
            client,
            from_date=from_date,
            to_date=to_date,
            content_type="json" if content_type == "json" else "xml",
        )
    if as_json:
        print_json(found.as_dict())
        return
    click.echo(found)
    click.echo()
    print_table(
        ["MONTH", "POSTINGS", "CALLS", "SECONDS"],
        [[probe.month, probe.postings, probe.calls, f"{probe.seconds:.1f}"] for probe in found.probes],
        right=["POSTINGS", "CALLS", "SECONDS"],
    )


@ledger.command("dbt-sources")
@click.option("--source", default="rma", show_default=True, help="Name of the source in dbt.")
@click.option(
    "--schema",
    default="rma",
    show_default=True,
    help="Schema of the tables: rma in PostgreSQL, main in a DuckDB file.",
)
@click.option("--database", default="", help="Database, where dbt needs one.")
@click.option("--table-prefix", default="", help="Prefix of the names of tables and views.")
@click.option(
    "--warn-after-hours",
    type=int,
    default=36,
    show_default=True,
    help="Hours since the last window that was loaded, after which freshness warns.",
)
@click.option(
    "--error-after-hours",
    type=int,
    default=72,
    show_default=True,
    help="Hours since the last window that was loaded, after which freshness fails.",
)
@click.option("--dbt-utils", is_flag=True, help="Test combined keys with the package dbt_utils.")
def dbt_sources(
    source: str,
    schema: str,
    database: str,
    table_prefix: str,
    warn_after_hours: int,
    error_after_hours: int,
    dbt_utils: bool,
) -> None:
    """Print a sources.yml: the tables and views of the warehouse as a source of dbt 1.10 or later.

    Needs neither a connection nor a warehouse: everything follows from the declaration of the columns.
    """
    from airflow_provider_rma.ledger.dbt import sources_yml

    click.echo(
        sources_yml(
            source=source,
            schema=schema,
            database=database,
            table_prefix=table_prefix,
            warn_after_hours=warn_after_hours,
            error_after_hours=error_after_hours,
            dbt_utils=dbt_utils,
        ),
        nl=False,
    )
