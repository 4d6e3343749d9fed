"""``rma evidence``: find out whether the evidence of former runs is whole."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from airflow_provider_rma.cli.airflow import get_hook, load_airflow, open_journal_database, storage_folder
from airflow_provider_rma.cli.output import NEEDS_ATTENTION, json_option, print_json, print_table
from airflow_provider_rma.exceptions import ConfigurationError

if TYPE_CHECKING:
    from airflow_provider_rma.billing.evidence.model import EvidenceRef


@click.group()
def evidence() -> None:
    """Verify the evidence that runs leave."""


@evidence.command()
@click.argument("folder", metavar="DIR")
@click.option(
    "--conn",
    "conn_id",
    metavar="CONN_ID",
    help="Airflow connection of the tenant: the journal then says which files must be there.",
)
@json_option
@click.pass_context
def verify(ctx: click.Context, folder: str, conn_id: str | None, as_json: bool) -> None:
    """Verify the chain of evidence in DIR, a path or a URL of any storage.

    Exit code 1 if a file was changed, renamed or is missing. Files alone do not show that the newest of them were
    removed; with --conn that is seen as well.
    """
    from airflow_provider_rma.billing.evidence.chain import verify_chain

    load_airflow()
    where = storage_folder(folder)
    defects = verify_chain(where.fs, where.path, expected=_expected(conn_id))
    files = len(where.fs.glob(f"{where.path}/*.json")) if where.fs.exists(where.path) else 0
    if not files and not defects:
        # Nothing to verify is not the same as verified: the path may be mistyped.
        raise ConfigurationError(f"There is no evidence in {where}.", advice="Check the path.")
    if as_json:
        print_json([asdict(defect) for defect in defects])
    elif defects:
        print_table(
            ["KIND", "FILE", "WHAT"],
            [[defect.kind.replace("_", " "), defect.file, defect.sentence] for defect in defects],
        )
    else:
        click.echo(f"{files} files in {where}: the chain of evidence holds.")
    if defects:
        ctx.exit(NEEDS_ATTENTION)


def _expected(conn_id: str | None) -> list[EvidenceRef]:
    from airflow_provider_rma.billing.evidence.writer import list_recorded_links

    if conn_id is None:
        return []
    config = get_hook(conn_id).config
    return list_recorded_links(open_journal_database(), config.origin, config.tenant)
