"""Entry point of ``rma``.

Built on click: mature, typed, without dependencies of its own, and installed with every Airflow already, whose API
server cannot run without it.
"""

from __future__ import annotations

import os
from typing import Any

import click

from airflow_provider_rma.cli.doctor import doctor
from airflow_provider_rma.cli.evidence import evidence
from airflow_provider_rma.cli.journal import journal
from airflow_provider_rma.cli.ledger import ledger
from airflow_provider_rma.cli.output import Refusal
from airflow_provider_rma.cli.purge import purge
from airflow_provider_rma.exceptions import RunMyAccountsError


class _Group(click.Group):
    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except RunMyAccountsError as error:
            raise Refusal(error) from error


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="airflow-provider-rma", prog_name="rma")
def rma() -> None:
    """Run my Accounts for people on call: journal, checks, estimates, retention.

    Connections and settings are Airflow's: run it where Airflow runs, with the same environment.

    Exit codes: 0 all is well, 1 something was found that needs a person, 2 it could not be done.
    """


for _command in (journal, doctor, evidence, ledger, purge):
    rma.add_command(_command)


def main() -> None:
    """Run the command line."""
    # As Airflow's own command line does: connections are looked up in Airflow's database as well.
    os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")
    rma()


if __name__ == "__main__":
    main()
