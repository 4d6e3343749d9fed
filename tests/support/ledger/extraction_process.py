"""One extraction in a process of its own, which a test may kill or keep short of room."""

from __future__ import annotations

import logging
import multiprocessing
import os
import resource
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

# Imported here, so that the server that forks the processes has them already; the package imports them when needed.
import duckdb  # noqa: F401
import msgspec  # noqa: F401
import psycopg  # noqa: F401
import xml2arrow  # noqa: F401

from airflow_provider_rma.client.client import RunMyAccountsClient
from airflow_provider_rma.client.config import ClientConfig
from airflow_provider_rma.client.retry import RetryPolicy
from airflow_provider_rma.exceptions import RunMyAccountsError
from airflow_provider_rma.fault_points import at
from airflow_provider_rma.ledger import batch_buffer
from airflow_provider_rma.ledger.destinations.open import open_destination
from airflow_provider_rma.ledger.extract import extract_ledger

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload([__name__])


@dataclass(frozen=True)
class Job:
    """What is to be extracted.

    :param connection: settings of the client.
    :param largest_file: bytes to which any file of the process can grow: its disk is full there.
    :param in_memory: bytes of postings that may wait in memory, not in a file.
    :param folder: folder for temporary files.
    :param kill_at: fault point at which the process kills itself.
    """

    address: str
    connection: dict[str, Any]
    period: dict[str, Any]
    largest_file: int | None = None
    in_memory: int | None = None
    folder: str | None = None
    kill_at: str | None = None
    options: dict[str, Any] = field(default_factory=dict)


class Extraction:
    """A running extraction."""

    def __init__(self, job: Job) -> None:
        self._receiver, sender = _FORKS.Pipe(duplex=False)
        self._process = _FORKS.Process(target=_run, args=(job, sender), daemon=True)
        self._process.start()
        sender.close()

    def kill(self) -> None:
        """kill -9; nothing happens if it has ended."""
        self._process.kill()
        self._process.join(30)

    def outcome(self, seconds: float = 60) -> str:
        """Wait for its end; empty if all went well, else the name of the error, and whether it is worth a retry.

        :raises EOFError: it was killed.
        """
        assert self._receiver.poll(seconds), "the extraction does not end"
        outcome = self._receiver.recv()
        self._process.join(seconds)
        return str(outcome)


@contextmanager
def extraction(job: Job) -> Iterator[Extraction]:
    """A running extraction, which is killed, if it still runs, when the block ends."""
    running = Extraction(job)
    try:
        yield running
    finally:
        running.kill()


def _die(**_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _run(job: Job, sender: Connection) -> None:
    logging.disable(logging.CRITICAL)
    if job.folder is not None:
        tempfile.tempdir = os.environ["TMPDIR"] = job.folder
    if job.in_memory is not None:
        batch_buffer.IN_MEMORY = job.in_memory
    if job.largest_file is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (job.largest_file, job.largest_file))
    try:
        config = ClientConfig(**job.connection)
        retry = RetryPolicy(tries=2)
        with (
            RunMyAccountsClient(config, retry=retry, sleep=lambda _: None) as client,
            open_destination(job.address) as destination,
            at(job.kill_at, _die) if job.kill_at else nullcontext(),
        ):
            extract_ledger(client, destination, **job.period, **job.options)
    except RunMyAccountsError as error:
        sender.send(type(error).__name__ + (", retryable" if error.retryable else ""))
    except BaseException as error:
        sender.send(f"not ours: {error!r}")
        raise
    else:
        sender.send("")
