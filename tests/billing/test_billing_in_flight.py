"""Several documents under way at the same time."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_rma.client.client import RunMyAccountsClient
from tests.billing.conftest import Bench

Make = Callable[..., dict[str, Any]]


@pytest.fixture
def wide(bench: Bench) -> Bench:
    bench.options["max_in_flight"] = 8
    return bench


def test_each_document_is_booked_once(wide: Bench, invoice: Make) -> None:
    records = [invoice() for _ in range(40)]
    rows = wide.bill(*records)
    assert {row["outcome"] for row in rows.values()} == {"created"}
    assert list(rows) == [record["invnumber"] for record in records]
    assert wide.posts() == 40


def test_the_first_of_each_shape_is_verified_before_others_of_it_are_sent(wide: Bench, invoice: Make) -> None:
    good = [invoice() for _ in range(3)]
    bad = [invoice(parts=[line()], incomeentries=None, taxentries=None, expected_amount="1.00") for _ in range(10)]
    rows = wide.bill(*good, *bad)
    assert [row["outcome"] for row in rows.values()] == ["created"] * 3 + ["conflict"] + ["held"] * 9
    assert wide.posts() == 4


def line() -> dict[str, str]:
    return {"partnumber": "ART-1", "quantity": "1", "sellprice": "99"}


def test_a_stop_lets_what_is_under_way_finish(wide: Bench, invoice: Make) -> None:
    records = [invoice() for _ in range(30)]
    wide.chaos("create_invoice", "slow_commit", skip=2, seconds=600)
    stop = threading.Event()

    def end() -> None:
        stop.set()
        wide.end_chaos()

    with wide.after_posts(6, end):
        rows = wide.bill(*records, stop=stop)
    outcomes = [row["outcome"] for row in rows.values()]
    assert set(outcomes) == {"created", "held"}
    assert outcomes.count("created") == wide.posts()
    held = [row for row in rows.values() if row["outcome"] == "held"]
    assert held[0]["reasons"] == ["not sent: the task was asked to end"]
    assert wide.error is not None


def test_two_runs_at_once_book_each_document_once(wide: Bench, invoice: Make, tmp_path: Any) -> None:
    records = [invoice() for _ in range(30)]
    other = Bench(wide.simulator, wide.folder / "other", options={"max_in_flight": 8})
    other.folder.mkdir()
    other.journal_folder = wide.folder
    threads = [threading.Thread(target=bench.bill, args=records) for bench in (wide, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wide.bill(*records)
    assert [len(wide.booked(record["invnumber"])) for record in records] == [1] * 30
    rows = wide.bill(*records)
    assert {row["outcome"] for row in rows.values()} == {"unchanged"}
    assert wide.posts() == 30


def test_a_lost_connection_in_the_middle_holds_the_rest(wide: Bench, invoice: Make) -> None:
    records = [invoice() for _ in range(20)]
    wide.chaos("create_invoice", "lost", skip=5)
    rows = wide.bill(*records)
    outcomes = [row["outcome"] for row in rows.values()]
    assert outcomes.count("created") == 5
    assert outcomes.count("unknown") >= 2
    assert outcomes.count("created") + outcomes.count("unknown") == wide.posts()
    assert "held" in outcomes


def test_after_an_unexpected_error_a_document_is_in_doubt_and_not_called_unsent(
    bench: Bench, invoice: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent, held = invoice(), invoice()

    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("a mistake in the program")

    with monkeypatch.context() as patched:
        patched.setattr(RunMyAccountsClient, "get_invoice", broken)
        with pytest.raises(RuntimeError):
            bench.bill(sent, held)
    lines = (bench.folder / "run-1" / "outcomes.ndjson").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["outcome"] for line in lines] == ["unknown", "held"]
    assert [len(bench.booked(one["invnumber"])) for one in (sent, held)] == [1, 0]
    rows = bench.bill(sent, held)
    assert [row["outcome"] for row in rows.values()] == ["unchanged", "created"]
