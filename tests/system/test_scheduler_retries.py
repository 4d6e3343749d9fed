"""A billing task dies with an invoice on its way, and a real scheduler runs it again."""

from __future__ import annotations

import json
import os
import signal
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_rma.billing.journal.engine import open_engine
from airflow_provider_rma.billing.journal.model import JournalState
from airflow_provider_rma.billing.journal.store import Journal
from tests.support.simulator import SimulatorProcess
from tests.support.system.airflow_service import AirflowService, wait_for

pytestmark = [pytest.mark.airflow, pytest.mark.slow]

INVOICES = 5
DEADLINE, SETTLE = 15.0, 1.0
#: Retried later than the settle time, so that the first retry can decide what became of the invoice.
RETRY_DELAY = 6
#: Seconds without a heartbeat after which a task whose machine is gone is run again.
HEARTBEAT_TIMEOUT = 15
#: Two DAGs, the same but for their names: each is killed in its own way.
DAG_IDS = ("task_killed", "worker_killed")

DAGS = '''
    """Bills from a file; each try first tells who runs it."""

    import os
    from datetime import timedelta
    from pathlib import Path

    from airflow.sdk import DAG

    from airflow_provider_rma.operators.billing import RunMyAccountsCreateInvoicesOperator

    FOLDER = Path(__file__).parent.parent


    class TellingOperator(RunMyAccountsCreateInvoicesOperator):
        def execute(self, context):
            ti = context["ti"]
            told = FOLDER / f"{{ti.dag_id}}-{{ti.try_number}}.pids"
            written = told.with_suffix(".writing")
            written.write_text(f"{{os.getpid()}} {{os.getppid()}}")
            written.rename(told)
            return super().execute(context)


    for dag_id in {dag_ids}:
        with DAG(dag_id, schedule=None):
            TellingOperator(
                task_id="bill",
                source=(FOLDER / f"{{dag_id}}.ndjson").as_uri(),
                settle_time={settle},
                retries=2,
                retry_delay=timedelta(seconds={delay}),
            )
'''


def numbers(dag_id: str) -> list[str]:
    return [f"{dag_id}-{number}" for number in range(INVOICES)]


def record(number: str) -> dict[str, object]:
    entry = {"amount": "100.00", "income_accno": "3400"}
    return {"invnumber": number, "customernumber": "K-001", "transdate": "2026-09-15", "incomeentries": [entry]}


@pytest.fixture(scope="module")
def airflow(simulator: SimulatorProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AirflowService]:
    connection = {
        "conn_type": "rma",
        "host": simulator.url,
        "schema": simulator.tenant,
        "password": simulator.token,
        "extra": {"allow_writes": True, "read_timeout": DEADLINE, "total_deadline": DEADLINE, "max_in_flight": 1},
    }
    home = tmp_path_factory.mktemp("airflow")
    environment = {"AIRFLOW_CONN_RMA_DEFAULT": json.dumps(connection)}
    service = AirflowService(home, environment, heartbeat_timeout=HEARTBEAT_TIMEOUT)
    text = textwrap.dedent(DAGS).format(dag_ids=DAG_IDS, settle=SETTLE, delay=RETRY_DELAY)
    (service.dags / "billing.py").write_text(text, encoding="utf-8")
    for dag_id in DAG_IDS:
        lines = "".join(json.dumps(record(number)) + "\n" for number in numbers(dag_id))
        (home / f"{dag_id}.ndjson").write_text(lines, encoding="utf-8")
    with service:
        yield service


def posts(service: SimulatorProcess) -> int:
    received = service.control("GET", "/requests")["received"]
    return int(sum(number for name, number in received.items() if name.startswith("POST") and "invoices" in name))


def pids(home: Path, dag_id: str, attempt: int) -> list[int]:
    """The process of a try of a task, and its parent, the executor's worker."""
    return [int(pid) for pid in (home / f"{dag_id}-{attempt}.pids").read_text().split()]


def kill(airflow: AirflowService, dag_id: str) -> None:
    """As the out-of-memory killer ends a task, or as a machine with its worker is lost."""
    task, worker = pids(airflow.home, dag_id, 1)
    # The worker first, lest it still report what became of the task.
    for pid in [task] if dag_id == "task_killed" else [worker, task]:
        assert os.getsid(pid) == airflow.session
        os.kill(pid, signal.SIGKILL)


def outcomes(home: Path, dag_id: str, attempt: int) -> dict[str, str]:
    """Outcome of each invoice in the file of a try."""
    (path,) = (home / "rma").rglob(f"invoices/{dag_id}/*/bill-try{attempt}/outcomes.ndjson")
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return {row["number"]: row["outcome"] for row in rows}


def journal_states(home: Path, service: SimulatorProcess, dag_id: str) -> list[JournalState]:
    """States of the journal's rows, of which none is open."""
    engine = open_engine(f"sqlite:///{home / 'rma' / 'journal.db'}")
    try:
        journal = Journal(engine, base_url=service.url, tenant=service.tenant, kind="invoice", run="test")
        assert list(journal.open_rows()) == []
        return [row.state for row in journal.get(numbers(dag_id)).values()]
    finally:
        engine.dispose()


@pytest.mark.parametrize("dag_id", DAG_IDS)
def test_the_scheduler_retries_a_task_killed_with_a_post_in_flight(
    airflow: AirflowService, simulator: SimulatorProcess, dag_id: str
) -> None:
    before = posts(simulator)
    rule = {"class": "create_invoice", "fault": "slow_commit", "skip": 2, "count": 1, "seconds": 60}
    simulator.control("DELETE", "/chaos")
    simulator.control("POST", "/chaos", rule)
    run = airflow.trigger(dag_id)
    wait_for(lambda: posts(simulator) == before + 3, 180, airflow.log)
    kill(airflow, dag_id)
    killed = time.monotonic()
    assert simulator.documents(numbers(dag_id)[2]) == [], "it was booked before the task was killed"
    simulator.control("DELETE", "/chaos")

    assert airflow.wait_until_over(run, 240) == "success", airflow.log()
    assert time.monotonic() - killed > RETRY_DELAY
    assert airflow.tries(run, "bill") == [(1, "failed"), (2, "success")]
    assert pids(airflow.home, dag_id, 2) != pids(airflow.home, dag_id, 1)

    # Neither sent again, nor lost: two were booked, one was in flight, two had not been sent.
    assert [len(simulator.documents(number)) for number in numbers(dag_id)] == [1] * INVOICES
    assert posts(simulator) == before + INVOICES
    # The file of the first has grown as far as it had come.
    assert outcomes(airflow.home, dag_id, 1) == dict.fromkeys(numbers(dag_id)[:2], "created")
    # The second says what it found, and what it has sent itself.
    told = outcomes(airflow.home, dag_id, 2)
    assert [told[number] for number in numbers(dag_id)] == ["unchanged"] * 3 + ["created"] * 2
    assert journal_states(airflow.home, simulator, dag_id) == [JournalState.CREATED] * INVOICES
