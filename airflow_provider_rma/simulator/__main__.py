"""Command line of the simulator: ``python -m airflow_provider_rma.simulator``, or ``rma-simulator``."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="rma-simulator",
        description="A local Run my Accounts to try things against: the documented interface over real books.",
        epilog="rma-simulator seed --help: build the books of an invented company, of any size.",
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    add("--port", type=int, default=8756, help="port, 0 for a free one (default: %(default)s)")
    add("--db", type=Path, required=True, help="SQLite file of the books; created if it does not exist")
    add("--tenant", default="demo", help="the tenant the token opens (default: %(default)s)")
    add("--token", default="pat_demo", help="the API key (default: %(default)s)")
    add("--master", type=Path, help="JSON file of master data for new books (default: a demo company)")
    add("--duplicates", choices=("refuse", "accept"), default="refuse", help="invoice numbers that exist already")
    add("--legacy-auth", action="store_true", help="accept X-RMA-KEY and api_key, as before April 2026")
    add("--certfile", help="serve https with this certificate")
    add("--keyfile", help="private key of the certificate, if it is not in the same file")
    add("--log-requests", action="store_true", help="one line per request on stderr")
    add("--print-connection", action="store_true", help="print an Airflow connection to paste, after the ready line")
    add("--exit-with-parent", action="store_true", help="end when the process that started this one has ended")
    return parser


def _describe_connection(address: str, tenant: str, token: str) -> str:
    parts = urlsplit(address)
    connection = {
        "conn_type": "rma",
        "host": f"{parts.scheme}://{parts.hostname}",
        "port": parts.port,
        "schema": tenant,
        "password": token,
        "extra": {"allow_writes": True},
    }
    return "\n".join(
        [
            f"address  {address}",
            f"tenant   {tenant}",
            f"token    {token}",
            f"AIRFLOW_CONN_RMA_DEFAULT='{json.dumps(connection)}'",
        ]
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the simulator, or seed books if the first argument is ``seed``; returns the exit status."""
    parent = os.getppid()
    words = sys.argv[1:] if arguments is None else list(arguments)
    if words[:1] == ["seed"]:
        from airflow_provider_rma.simulator.seed import command

        return command.main(words[1:])
    parser = _parser()
    given = parser.parse_args(words)
    try:
        from airflow_provider_rma.simulator.http.auth import CURRENT_PREFIX
        from airflow_provider_rma.simulator.server import ServerOptions, serve
        from airflow_provider_rma.simulator.settings import Settings
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("starlette", "uvicorn", "h11", "anyio"):
            raise
        print(
            "The simulator needs starlette and uvicorn: pip install 'airflow-provider-rma[simulator]'", file=sys.stderr
        )
        return 1
    if not given.token.startswith(CURRENT_PREFIX) and not given.legacy_auth:
        parser.error(f"a token without the prefix {CURRENT_PREFIX} opens nothing unless --legacy-auth is given")
    options = ServerOptions(
        db=given.db,
        host=given.host,
        port=given.port,
        tenant=given.tenant,
        token=given.token,
        master=given.master,
        legacy_auth=given.legacy_auth,
        settings=Settings(duplicates=given.duplicates),
        certfile=given.certfile,
        keyfile=given.keyfile,
        log_requests=given.log_requests,
        parent=parent if given.exit_with_parent else None,
    )
    describe = (
        (lambda address: _describe_connection(address, given.tenant, given.token)) if given.print_connection else None
    )
    try:
        serve(options, describe)
    except (OSError, ValueError) as error:
        print(f"The simulator could not start: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
