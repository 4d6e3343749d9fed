"""``rma purge``: remove old files that hold personal data."""

from __future__ import annotations

import click

from airflow_provider_rma.cli.airflow import conn_option, load_airflow, tenant_folder
from airflow_provider_rma.cli.output import json_option, print_json
from airflow_provider_rma.formatting import format_count


@click.command()
@conn_option
@click.option(
    "--older-than",
    "days",
    type=click.IntRange(min=1),
    metavar="DAYS",
    help="Age in days; [rma] retention_days if not given.",
)
@click.option(
    "--path",
    metavar="URL",
    help="Folder that tasks were given as output_path; [rma] storage_path if not given.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@json_option
def purge(conn_id: str, days: int | None, path: str | None, dry_run: bool, as_json: bool) -> None:
    """Remove a tenant's plan, outcome and reject files that are older than the retention time.

    Evidence and the journal are never removed: they hold no personal data of customers, and must remember.
    """
    from airflow_provider_rma.billing.retention import list_expired, remove_file

    load_airflow()
    from airflow_provider_rma.hooks.settings import retention_days

    days = retention_days() if days is None else days
    folder = tenant_folder(conn_id, path)
    removed, kept = [], []
    for file in list(list_expired(folder.fs, folder.path, days=days)):
        if file.modified is None:
            kept.append(file)
            continue
        if not dry_run:
            remove_file(folder.fs, file, folder.path)
        removed.append(file)
        if not as_json:
            click.echo(f"{file.modified:%Y-%m-%d}  {file.path}")
    if as_json:
        print_json(
            {
                "folder": str(folder),
                "days": days,
                "dry_run": dry_run,
                "removed": [file.path for file in removed],
                "age_unknown": [file.path for file in kept],
            }
        )
        return
    done = "would be removed" if dry_run else "removed"
    size = sum(file.size for file in removed)
    click.echo(f"{len(removed)} files ({format_count(size)} bytes) older than {days} days {done} below {folder}")
    if kept:
        click.echo(f"{len(kept)} files kept: the storage does not say how old they are.", err=True)
