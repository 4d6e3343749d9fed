"""Several documents: their order, the brakes, and documents under way at the same time."""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from airflow_provider_rma.billing.journal.model import JournalState
from airflow_provider_rma.billing.kinds.customer import CustomerDocument
from airflow_provider_rma.billing.kinds.invoice_document import InvoiceDocument
from airflow_provider_rma.billing.send_queue import SendQueue
from airflow_provider_rma.billing.sender import DocumentSender
from airflow_provider_rma.client.client import RunMyAccountsClient
from airflow_provider_rma.exceptions import ConnectionNotMadeError, OutcomeUnknownError, RejectedError
from tests.support.billing_bench import Bench
from tests.support.billing_desk import Desk
from tests.support.invoices import make_invoice

Make = Callable[..., dict[str, Any]]
LOST = OutcomeUnknownError("the connection was lost")


def send_all(desk: Desk[Any], *records: dict[str, Any], **options: Any) -> SendQueue[Any]:
    """Send records without a look at the books, as a plan would have decided."""
    queue = SendQueue(DocumentSender(desk.kind, desk.journal), desk.working_set, {}, **options)
    for record in records:
        desk.working_set.decide_to_send(desk.add(record))
    queue.run(len(records))
    return queue


def articles(**fields: Any) -> dict[str, Any]:
    parts = [{"partnumber": "ART-1", "quantity": "1", "sellprice": "99"}]
    return make_invoice(incomeentries=None, taxentries=None, parts=parts, **fields)


def test_documents_are_sent_in_the_order_of_the_input(desk: Desk[InvoiceDocument]) -> None:
    records = [make_invoice() for _ in range(5)]
    queue = send_all(desk, *records)
    assert desk.client.posts == [record["invnumber"] for record in records]
    assert (desk.decisions(), queue.stopped) == (["created"] * 5, "")


def test_a_mismatch_stops_the_run(desk: Desk[InvoiceDocument]) -> None:
    wrong = make_invoice(expected_amount="108.10")
    create = desk.client.create_invoice
    desk.client.create_invoice = lambda entity: create(  # type: ignore[method-assign]
        {**entity, "transdate": date(2026, 9, 16)}
    )
    queue = send_all(desk, wrong, make_invoice())
    assert desk.decisions() == ["conflict", "held"]
    assert queue.stopped == (
        f"invoice {wrong['invnumber']} was booked otherwise than meant; find out why before more is sent"
    )
    assert desk.results()[1].reasons == (f"not sent: {queue.stopped}",)


def test_two_doubts_in_a_row_stop_the_run(desk: Desk[InvoiceDocument]) -> None:
    desk.client.errors["create_invoice"] = [LOST, None, LOST, LOST]
    queue = send_all(desk, *(make_invoice() for _ in range(5)))
    assert desk.decisions() == ["unknown", "created", "unknown", "unknown", "held"]
    assert queue.stopped == "2 documents in a row got no reliable answer"


def test_a_document_that_another_run_has_taken_is_no_doubt_about_the_service(desk: Desk[InvoiceDocument]) -> None:
    records = [make_invoice() for _ in range(4)]
    for record in records[:3]:
        desk.leave(record["invnumber"], JournalState.CLAIMED)
    send_all(desk, *records)
    assert desk.decisions() == ["unknown", "unknown", "unknown", "created"]


def test_a_refusal_for_a_closed_period_holds_for_earlier_days_too(desk: Desk[InvoiceDocument]) -> None:
    desk.client.errors["create_invoice"] = [
        RejectedError("no", is_final=True, status=400, server_message="abgeschlossen")
    ]
    days = [date(2026, 6, 30), date(2026, 6, 30), date(2026, 5, 1), date(2026, 7, 1)]
    send_all(desk, *(make_invoice(transdate=day) for day in days))
    assert desk.decisions() == ["closed_period", "closed_period", "closed_period", "created"]
    assert len(desk.client.posts) == 2


def test_a_lost_connection_holds_the_rest_and_is_raised(desk: Desk[InvoiceDocument]) -> None:
    desk.client.errors["create_invoice"] = [None, ConnectionNotMadeError("the host is down")]
    with pytest.raises(ConnectionNotMadeError):
        send_all(desk, *(make_invoice() for _ in range(3)))
    assert desk.decisions() == ["created", "held", "held"]
    assert desk.results()[2].reasons == ("not sent: the host is down",)


def test_a_run_that_is_asked_to_end_sends_nothing_further(desk: Desk[InvoiceDocument]) -> None:
    stop = threading.Event()
    stop.set()
    queue = send_all(desk, make_invoice(), stop=stop)
    assert (desk.decisions(), queue.stopped) == (["held"], "the task was asked to end")
    assert desk.client.posts == []


def test_a_run_that_is_stopped_beforehand_sends_nothing(desk: Desk[InvoiceDocument]) -> None:
    send_all(desk, make_invoice(), stopped="too many")
    assert desk.results()[0].reasons == ("not sent: too many",)
    assert desk.client.posts == []


@pytest.mark.parametrize(
    ("policy", "stopped"),
    [
        ({"max_count": 1}, "2 documents are more than the 1 that max_count allows one run to send"),
        ({"max_amount": Decimal(200)}, "CHF 216.20 is more than the CHF 200.00 that max_amount allows one run to send"),
        ({"max_count": 2, "max_amount": Decimal("216.20")}, ""),
    ],
)
def test_caps_hold_for_count_and_amount(desk: Desk[InvoiceDocument], policy: dict[str, Any], stopped: str) -> None:
    kind = replace(desk.kind, policy=replace(desk.kind.policy, **policy))
    assert kind.exceeded_cap(2, Decimal("216.20")) == stopped


def test_no_brake_stops_customers(customer_desk: Desk[CustomerDocument]) -> None:
    customer_desk.client.errors["save_customer"] = [LOST, LOST, None]
    send_all(customer_desk, *({"customernumber": f"C-{number}", "name": "Berghütte AG"} for number in range(3)))
    assert customer_desk.decisions() == ["unknown", "unknown", "created"]
    assert customer_desk.kind.exceeded_cap(10**9, Decimal(10**12)) == ""


def test_the_first_of_a_shape_is_alone_under_way(desk: Desk[InvoiceDocument]) -> None:
    desk.client.config = replace(desk.client.config, max_in_flight=4)
    barrier = threading.Barrier(3)
    under_way: list[str] = []
    most = 0
    create, lock = desk.client.create_invoice, threading.Lock()

    def watched(entity: Any) -> None:
        nonlocal most
        with lock:
            under_way.append(entity["invnumber"])
            most = max(most, len(under_way))
            alone = entity["invnumber"] in first
            assert not alone or len(under_way) == 1
        if not alone:
            # Three of one shape are under way together once their first is verified.
            barrier.wait(timeout=30)
        create(entity)
        with lock:
            under_way.remove(entity["invnumber"])

    desk.client.create_invoice = watched  # type: ignore[method-assign]
    records = [articles(), *(articles() for _ in range(3)), make_invoice(), *(make_invoice() for _ in range(3))]
    first = {records[0]["invnumber"], records[4]["invnumber"]}
    send_all(desk, *records)
    assert desk.decisions() == ["created"] * 8
    assert most == 3


# ---------------------------------------------------------------------- interrupted


class Interruption(BaseException):
    """What a signal or a time-out raises in the main thread."""


def interrupt_at(line: int) -> tuple[Any, list[int]]:
    """Return a trace function that raises at the ``line``-th line of the main thread in billing, and the count."""
    count = [0]

    def trace(frame: Any, event: str, _: Any) -> Any:
        if "airflow_provider_rma/billing" not in frame.f_code.co_filename:
            return None
        if event == "line":
            count[0] += 1
            if count[0] == line:
                raise Interruption
        return trace

    return trace, count


@pytest.mark.parametrize("lanes", [1, 3])
def test_interrupted_at_any_line_what_was_sent_is_not_called_unsent(
    make_desk: Callable[[], Desk[InvoiceDocument]], lanes: int
) -> None:
    line = 0
    while True:
        line += 1
        desk = make_desk()
        desk.client.config = replace(desk.client.config, max_in_flight=lanes)
        queue = SendQueue(DocumentSender(desk.kind, desk.journal), desk.working_set, {})
        for _ in range(5):
            desk.working_set.decide_to_send(desk.add(make_invoice()))
        trace, count = interrupt_at(line)
        sys.settrace(trace)
        try:
            queue.run(5)
        except Interruption:
            pass
        finally:
            sys.settrace(None)
        queue.finish()
        booked = {invoice["invnumber"] for invoice in desk.client.invoices}
        for result in desk.results():
            expected = {"created"} if result.number in booked else {"held"}
            assert str(result.outcome) in expected, (line, result)
        if count[0] < line:
            break
    assert line > 5, "the loop must have met lines of the main thread"


def test_no_number_of_interruptions_cuts_the_waiting_short(desk: Desk[InvoiceDocument]) -> None:
    """Whoever went on would write a record of what is not over, and close the working set under the queue."""
    main, create, struck = threading.main_thread().ident, desk.client.create_invoice, [0]
    assert main is not None

    def strike(*_: object) -> None:
        struck[0] += 1
        raise Interruption

    def create_meanwhile(entity: Any) -> None:
        for number in range(1, 6):
            while sys._current_frames()[main].f_code.co_name != "wait":
                time.sleep(0.001)
            signal.pthread_kill(main, signal.SIGUSR1)
            while struck[0] < number:
                time.sleep(0.001)
        create(entity)

    desk.client.create_invoice = create_meanwhile  # type: ignore[method-assign]
    before = signal.signal(signal.SIGUSR1, strike)
    try:
        with pytest.raises(Interruption):
            send_all(desk, make_invoice(), make_invoice())
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert struck == [5]
    assert desk.decisions() == ["created", "held"]


def test_an_exit_inside_a_lane_ends_the_run_and_is_raised(desk: Desk[InvoiceDocument]) -> None:
    create = desk.client.create_invoice

    def leave(entity: Any) -> None:
        create(entity)
        raise SystemExit(3)

    desk.client.create_invoice = leave  # type: ignore[method-assign]
    with pytest.raises(SystemExit):
        send_all(desk, make_invoice(), make_invoice())
    assert desk.decisions() == ["unknown", "held"]


def test_what_was_refused_and_whose_result_is_lost_is_not_called_unsent(
    desk: Desk[InvoiceDocument], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.client.errors["create_invoice"] = [RejectedError("no", is_final=True, status=400)]
    real = DocumentSender.send

    def leave(self: Any, document: Any, seen: Any) -> Any:
        real(self, document, seen)
        raise SystemExit(3)

    monkeypatch.setattr(DocumentSender, "send", leave)
    record = make_invoice()
    with pytest.raises(SystemExit):
        send_all(desk, record, make_invoice())
    assert desk.row(record["invnumber"]).state == JournalState.REJECTED
    assert desk.decisions() == ["unknown", "held"]


def test_what_the_journal_says_is_claimed_by_this_run_is_not_called_unsent(
    desk: Desk[InvoiceDocument], monkeypatch: pytest.MonkeyPatch
) -> None:
    record = make_invoice()

    def lost(self: Any, document: Any, seen: Any) -> Any:
        self.journal.claim(document.number, document.content_hash, seen, settle_after=100.0)
        raise RuntimeError("a mistake in the program")

    monkeypatch.setattr(DocumentSender, "send", lost)
    with pytest.raises(RuntimeError):
        send_all(desk, record, make_invoice())
    assert desk.decisions() == ["unknown", "held"]
    assert desk.results()[0].reasons == ("claimed for sending by this run; the next attempt decides by reading",)


# ---------------------------------------------------------------------- over HTTP, against the simulator


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
