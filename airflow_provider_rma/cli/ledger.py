"""``rma ledger``: estimate an extract of the ledger, and describe its warehouse to dbt."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

import click
import pendulum

from airflow_provider_rma.cli.airflow import conn_option, get_hook
from airflow_provider_rma.cli.output import json_option, print_json, print_table
from airflow_provider_rma.formatting import format_amount, format_time

if TYPE_CHECKING:
    from airflow_provider_rma.ledger.destinations.base import Destination

_destination_option = click.option(
    "--destination", required=True, metavar="ADDRESS", help="Address of the warehouse, as of the extract."
)
_destination_conn_option = click.option(
    "--destination-conn", metavar="CONN_ID", help="Airflow connection of that storage, if it needs one."
)


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
    help="Schema of the tables, as in the address of the destination.",
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


@ledger.command()
@conn_option
@_destination_option
@_destination_conn_option
@click.option("--show", is_flag=True, help="List the signs; so does the command without further options.")
@click.option("--forget", "forgotten", multiple=True, metavar="ACCOUNT", help="Forget the sign of an account.")
@click.option("--forget-all", is_flag=True, help="Forget the signs of all accounts.")
@json_option
def signs(
    conn_id: str,
    destination: str,
    destination_conn: str | None,
    show: bool,
    forgotten: tuple[str, ...],
    forget_all: bool,
    as_json: bool,
) -> None:
    """Show in which sign the service states the balance of each account, as it was learnt; or forget it.

    What is forgotten is learnt again by the next run, and recorded with the signs.
    """
    from airflow_provider_rma.ledger.proof.accounts import AccountKinds
    from airflow_provider_rma.ledger.proof.sign_convention import SignConvention

    if show and (forgotten or forget_all):
        raise click.UsageError("Give either --show or --forget.")
    with _warehouse(conn_id, destination, destination_conn) as (tenant, warehouse):
        known = SignConvention.from_dict(warehouse.read_convention(tenant))
        unknown = [accno for accno in forgotten if known.sign(accno) is None]
        if unknown:
            raise click.UsageError(f"No sign is known of account {', '.join(unknown)}; nothing was forgotten.")
        if forgotten or forget_all:
            known = known.without_signs(forgotten, _record())
            warehouse.save_convention(tenant, known.as_dict())
    exceptions = set(known.deviations(AccountKinds()))
    if as_json:
        print_json({"tenant": tenant, "reading": known.reading(), "exceptions": sorted(exceptions)} | known.as_dict())
        return
    click.echo(f"Tenant {tenant}: {len(known.signs)} accounts, reading {known.reading()}.")
    rows = [
        [accno, sign, known.learned_in.get(accno, ""), "exception" if accno in exceptions else ""]
        for accno, sign in sorted(known.signs.items())
    ]
    if rows:
        click.echo()
        print_table(["ACCOUNT", "SIGN", "LEARNT IN", "REMARK"], rows, right=["SIGN"])
    for record in known.records:
        gone = ", ".join(record.get("forgotten", {}))
        what = f"forgotten {gone}" if gone else f"accepted CHF {format_amount(Decimal(record['accepted']))}"
        click.echo(f"{format_time(datetime.fromisoformat(record['at']))}  {what}")


@ledger.command()
@conn_option
@_destination_option
@_destination_conn_option
@click.option("--accept", required=True, metavar="AMOUNT", help="The amount, raw, as the reason books_off states it.")
def residual(conn_id: str, destination: str, destination_conn: str | None, accept: str) -> None:
    """Accept what all balances of the books together are off by, because of vouchers that will never be loaded.

    That it was accepted, and when, is recorded with the signs.
    """
    from airflow_provider_rma.ledger.proof.sign_convention import SignConvention

    try:
        amount = Decimal(accept)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite():
        raise click.UsageError(
            f"--accept: {accept} is not an amount; give the one of the reason books_off, e.g. -5.00."
        )
    with _warehouse(conn_id, destination, destination_conn) as (tenant, warehouse):
        known = SignConvention.from_dict(warehouse.read_convention(tenant))
        warehouse.save_convention(tenant, known.with_accepted(str(amount), _record()).as_dict())
    click.echo(f"Tenant {tenant}: books that are off by CHF {format_amount(amount)} are accepted from now on.")


def _record() -> dict[str, Any]:
    return {"at": pendulum.now("UTC").to_iso8601_string()}


@contextmanager
def _warehouse(conn_id: str, address: str, destination_conn: str | None) -> Iterator[tuple[str, Destination]]:
    """Open the warehouse of a tenant. Yields the tenant and the warehouse; the service is not asked."""
    hook = get_hook(conn_id)
    from airflow_provider_rma.hooks.warehouse import open_warehouse

    with hook.get_conn() as client, open_warehouse(address, destination_conn) as warehouse:
        yield client.config.tenant, warehouse
