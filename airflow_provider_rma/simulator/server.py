"""The process: books opened or created, one socket, one line when it is ready, a clean end on SIGTERM."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount, Route
from uvicorn import Config, Server

from airflow_provider_rma.simulator import demo_company
from airflow_provider_rma.simulator.books.books import Books
from airflow_provider_rma.simulator.books.master_tables import load_master
from airflow_provider_rma.simulator.books.worker import BooksWorker
from airflow_provider_rma.simulator.faults.connection import TrackedProtocol
from airflow_provider_rma.simulator.http.app import RestApi
from airflow_provider_rma.simulator.http.auth import TokenAuth
from airflow_provider_rma.simulator.http.control import ControlApi
from airflow_provider_rma.simulator.http.page import render_page
from airflow_provider_rma.simulator.http.service import Service
from airflow_provider_rma.simulator.settings import Settings

_GRACE_SECONDS = 1
_PARENT_SECONDS = 0.5


@dataclass
class ServerOptions:
    """Options of the process, as given on the command line.

    :param db: SQLite file of the books; re-opened if it exists, else created from ``master`` or the demo company.
    :param port: 0 for a free port.
    :param parent: end when this process is no longer the parent of this one.
    """

    db: Path
    host: str = "127.0.0.1"
    port: int = 8756
    tenant: str = "demo"
    token: str = field(default="pat_demo", repr=False)
    master: Path | None = None
    legacy_auth: bool = False
    settings: Settings = field(default_factory=Settings)
    certfile: str | None = None
    keyfile: str | None = None
    log_requests: bool = False
    parent: int | None = None


def open_books(options: ServerOptions) -> Books:
    """Open the books of ``options.db``, created if the file does not exist."""
    if options.db.exists():
        return Books.open(options.db)
    options.db.parent.mkdir(parents=True, exist_ok=True)
    if options.master is not None:
        return Books.create(options.db, load_master(options.master))
    return Books.create(options.db, demo_company.build_master())


def build_application(service: Service) -> Starlette:
    """Build the ASGI application: the interface under ``/api``, the control endpoint, and the page."""

    async def page(_: Request) -> Response:
        content = await service.worker.work(lambda books: render_page(books, service.tenant, service.settings.day))
        return HTMLResponse(content)

    return Starlette(
        routes=[
            Route("/", page),
            Mount("/__control__", routes=ControlApi(service).routes()),
            Mount("/api", app=RestApi(service)),
        ]
    )


class _AnnouncingServer(Server):
    """uvicorn's server, which says on stdout when it is ready."""

    def __init__(self, config: Config, announcement: str) -> None:
        super().__init__(config)
        self._announcement = announcement

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        print(self._announcement, flush=True)


def _listen(host: str, port: int) -> socket.socket:
    """Open a listening socket; the protocol is named because asyncio switches Nagle's delay off only then."""
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listening = socket.socket(family, kind, protocol or socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(address)
    return listening


def _end_without(parent: int, ended: threading.Event) -> None:
    """End this process in order once it has another parent: an orphan is given a new one by the system."""
    while not ended.wait(_PARENT_SECONDS):
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGTERM)
            return


def serve(options: ServerOptions, describe: Callable[[str], str] | None = None) -> None:
    """Serve until SIGTERM or Ctrl-C.

    :param describe: called with the address; returns text that is printed after the ready line.
    """
    if options.log_requests:
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    listening = _listen(options.host, options.port)
    scheme = "https" if options.certfile else "http"
    address = f"{scheme}://{options.host}:{listening.getsockname()[1]}"
    service = Service(
        tenant=options.tenant,
        auth=TokenAuth(options.token, legacy=options.legacy_auth),
        worker=BooksWorker(open_books(options)),
        settings=options.settings,
    )
    announcement = f"rma-simulator ready {address} tenant={options.tenant} db={options.db}"
    if describe is not None:
        announcement += "\n" + describe(address)
    config = Config(
        build_application(service),
        http=TrackedProtocol,
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        ssl_certfile=options.certfile,
        ssl_keyfile=options.keyfile,
    )
    # uvicorn raises the signal once more after its orderly end, which must not look like a crash
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    ended = threading.Event()
    if options.parent is not None:
        threading.Thread(target=_end_without, args=(options.parent, ended), daemon=True).start()
    try:
        _AnnouncingServer(config, announcement).run(sockets=[listening])
    except KeyboardInterrupt:
        pass
    finally:
        ended.set()
        service.worker.close()
