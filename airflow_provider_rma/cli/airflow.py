"""Airflow's connections and settings, as seen from a terminal. Importing Airflow takes a second: only when needed."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from airflow_provider_rma.exceptions import ConfigurationError

if TYPE_CHECKING:
    import sqlalchemy

    from airflow_provider_rma.billing.journal.store import Journal
    from airflow_provider_rma.hooks.rma import RunMyAccountsHook

conn_option = click.option(
    "--conn",
    "conn_id",
    default="rma_default",
    show_default=True,
    metavar="CONN_ID",
    help="Airflow connection of the tenant.",
)
kind_option = click.option(
    "--kind",
    type=click.Choice(["invoice", "customer"]),
    default="invoice",
    show_default=True,
    help="Kind of document.",
)


@cache
def load_airflow() -> None:
    """Import Airflow, whose logging then writes to the standard error: it takes what is the standard output now."""
    with redirect_stdout(sys.stderr):
        from airflow.providers.common.compat.sdk import conf

        _ = conf


def open_journal_database() -> sqlalchemy.Engine:
    """Open the database of the journal, as ``[rma] journal_conn_id`` says."""
    load_airflow()
    from airflow_provider_rma.hooks.settings import journal_engine

    return journal_engine()


def get_hook(conn_id: str) -> RunMyAccountsHook:
    """Return the hook of a connection that exists and can be read.

    :raises ConfigurationError: if it does not exist, or a field is missing or unreadable.
    """
    load_airflow()
    from airflow.providers.common.compat.sdk import AirflowNotFoundException

    from airflow_provider_rma.hooks.rma import RunMyAccountsHook

    hook = RunMyAccountsHook(conn_id)
    try:
        _ = hook.config
    except AirflowNotFoundException:
        raise ConfigurationError(
            f"Airflow has no connection {conn_id!r} here.",
            advice="Create it, name another one with --conn, or set AIRFLOW_CONN_… as the workers have it.",
        ) from None
    return hook


def open_journal(hook: RunMyAccountsHook, kind: str, command: str) -> Journal:
    """Open the journal of a connection's tenant for a command."""
    from airflow_provider_rma.billing.journal.store import Journal

    config = hook.config
    return Journal(
        open_journal_database(), base_url=config.origin, tenant=config.tenant, kind=kind, run=f"rma journal {command}"
    )


def storage_folder(text: str) -> Any:
    """Return a folder that is named on the command line, by a path of this machine or a URL."""
    from airflow.providers.common.compat.sdk import ObjectStoragePath

    return ObjectStoragePath(text if "://" in text else f"file://{Path(text).expanduser().absolute()}")


def tenant_folder(conn_id: str, path: str | None = None) -> Any:
    """Return the folder of a tenant's plan, outcome, reject and evidence files.

    :param path: the folder that tasks were given as ``output_path``; ``[rma] storage_path`` if None.
    """
    load_airflow()
    from airflow_provider_rma.hooks import settings

    return settings.tenant_folder(get_hook(conn_id).config.tenant, str(storage_folder(path)) if path else None)
