"""Plans: nothing is sent while planning, and exactly the plan is carried out."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from datetime import date
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem
from hypothesis import assume, given
from hypothesis import strategies as st

from airflow_provider_rma.billing.files import RunFolder, is_perishable, read_plan_digest
from airflow_provider_rma.billing.journal.engine import open_engine
from airflow_provider_rma.billing.journal.store import Journal
from airflow_provider_rma.billing.kinds.invoice import InvoiceKind
from airflow_provider_rma.billing.kinds.invoice_document import InvoiceDocument
from airflow_provider_rma.billing.outcomes import DocumentResult, Outcome, RunSummary, failing_outcomes
from airflow_provider_rma.billing.plan_file import PlanHeader, PlanReader, PlanWriter, load_plan
from airflow_provider_rma.billing.policy import InputRules, Policy
from airflow_provider_rma.billing.run import BillingRun
from airflow_provider_rma.billing.working_set import WorkingSet
from airflow_provider_rma.exceptions import BillingError, ConfigurationError, InvalidInputError, RunMyAccountsError
from airflow_provider_rma.fault_points import at
from airflow_provider_rma.schemas.date_range import DateRange
from airflow_provider_rma.schemas.invoice import InvoiceSchema
from airflow_provider_rma.schemas.notation import Notation
from tests.support.billing_bench import Bench
from tests.support.billing_desk import Desk
from tests.support.fake_client import FakeClient
from tests.support.invoices import make_invoice
from tests.support.plans import Mutation, change_member, mutations
from tests.support.schema_strategies import records

Make = Callable[..., dict[str, Any]]

_MEMORY = MemoryFileSystem()


def memory_folder(name: str) -> RunFolder:
    """An empty folder of a run in memory."""
    if _MEMORY.exists(f"/{name}"):
        _MEMORY.rm(f"/{name}", recursive=True)
    return RunFolder(_MEMORY, f"/{name}", f"memory://{name}")


def read_memory(path: str) -> bytes:
    return bytes(_MEMORY.cat_file(path.replace("memory://", "/")))


def files(folder: str) -> list[str]:
    return [str(path) for path in _MEMORY.find(f"/{folder}")]


_journals: list[Callable[[], Journal]] = []


@pytest.fixture(scope="module", autouse=True)
def journals(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One database, in which each journal is that of a tenant of its own."""
    engine, tenants = open_engine(f"sqlite:///{tmp_path_factory.mktemp('journal') / 'journal.db'}"), count(1)

    def make() -> Journal:
        return Journal(engine, base_url="http://rma.example", tenant=f"t{next(tenants)}", kind="invoice", run="run")

    _journals[:] = [make]
    yield
    engine.dispose()


def _journal() -> Journal:
    return _journals[0]()


def plan(bench: Bench, *records: dict[str, Any], **options: Any) -> tuple[Path, str, dict[str, Any]]:
    with bench.client() as client:
        kind = InvoiceKind(client, Policy(total_deadline=2.0, **options))
        run = BillingRun(kind, bench.journal(), bench.output())
        result = run.plan(records)
    assert Path(result.page).read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert len(result.markdown) < 4_000
    return Path(result.path), result.digest, vars(result.header)


def apply(bench: Bench, path: Path, plan_hash: str | None = None) -> dict[str, dict[str, Any]]:
    with bench.client() as client, path.open("rb") as stream:
        kind = InvoiceKind(client, Policy(total_deadline=2.0))
        run = BillingRun(kind, bench.journal(), bench.output(), failing_outcomes(None))

        def carry_out() -> RunSummary:
            return run.apply(PlanReader(stream), plan_hash)

        return bench.go(run.folder, carry_out)


def read(content: bytes) -> tuple[PlanReader, list[dict[str, Any]]]:
    reader = PlanReader(BytesIO(content))
    return reader, list(reader.lines())


def test_a_plan_is_read_as_it_was_written(desk: Desk[InvoiceDocument]) -> None:
    record = make_invoice(notes='Zürich "quoted"\n', expected_amount="108.10")
    document = desk.add(record)
    desk.working_set.decide_to_send(document)
    desk.working_set.add_result(DocumentResult(2, "R-bad", Outcome.INVALID, ("no date",)), {"invnumber": "R-bad"})
    stream = BytesIO()
    writer = PlanWriter(stream, PlanHeader("demo", "https://rma.example", "run", "a" * 64), desk.working_set)
    passed_on = list(writer.write())
    content = stream.getvalue()
    assert hashlib.sha256(content).hexdigest() == writer.digest
    reader, lines = read(content)
    assert (reader.header.counts, reader.header.amount) == ({"create": 1, "invalid": 1}, "108.10")
    assert reader.digest == writer.digest
    assert [{name: line[name] for name in line if name != "record"} for line in lines] == passed_on
    assert lines[0]["record"] == json.loads(json.dumps(record, default=str))
    assert (lines[1]["decision"], lines[1]["reasons"], lines[1]["document"]) == ("invalid", ["no date"], None)
    with WorkingSet[InvoiceDocument]() as again:
        load_plan(desk.kind, again, PlanReader(BytesIO(content)))
        assert list(again.pending()) == [document]
        assert [getattr(again.planned(position), "decision", None) for position in (1, 2)] == ["create", "invalid"]
        assert [result.outcome for result, _ in again.results()] == ["held", "invalid"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "no plan of this version"),
        (b'{"plan": 99}\n', "no plan of this version"),
        (b"not json\n", "damaged"),
    ],
)
def test_a_file_that_is_no_plan_is_refused(content: bytes, problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        read(content)


def test_a_plan_that_lacks_a_line_is_refused(desk: Desk[InvoiceDocument]) -> None:
    for _ in range(2):
        desk.working_set.decide_to_send(desk.add(make_invoice()))
    stream = BytesIO()
    list(PlanWriter(stream, PlanHeader("demo", "https://rma.example", "run", ""), desk.working_set).write())
    lines = stream.getvalue().splitlines(keepends=True)
    with pytest.raises(ConfigurationError, match="has 1 records, its header says 2"):
        read(b"".join(lines[:-1]))


@pytest.fixture(scope="module")
def written() -> bytes:
    """A plan of two documents to be sent, one that is booked otherwise, and one that is no invoice."""
    client = FakeClient(customers=[{"customernumber": "K-001"}])
    kind = InvoiceKind(client.as_client(), Policy())
    client.create_invoice(kind.read(make_invoice(invnumber="R-C", transdate=date(2026, 8, 1)), 1).invoice)
    records = [make_invoice(invnumber=f"R-{name}", notes="Grüezi", expected_amount="108.10") for name in "ABC"]
    run = BillingRun(kind, _journal(), memory_folder("plan"))
    result = run.plan([*records, {"invnumber": "R-D"}])
    assert result.header.counts == {"conflict": 1, "create": 2, "invalid": 1}
    return read_memory(result.path)


def carry_out(
    content: bytes, plan_hash: str | None = None, **rules: Any
) -> tuple[FakeClient, RunMyAccountsError | None]:
    """Carry a plan out over books in memory that hold nothing."""
    client = FakeClient(customers=[{"customernumber": "K-001"}])
    policy = Policy(write_recovery_tag=False)
    run = BillingRun(InvoiceKind(client.as_client(), policy), _journal(), memory_folder("run"), failing_outcomes(None))
    try:
        run.apply(PlanReader(BytesIO(content)), plan_hash)
    except RunMyAccountsError as error:
        return client, error
    return client, None


def refuse(content: bytes) -> str:
    client, error = carry_out(content)
    assert isinstance(error, ConfigurationError), error
    assert client.posts == []
    assert error.advice == "Plan again."
    return str(error)


def test_a_plan_as_it_was_written_is_carried_out(written: bytes) -> None:
    client, error = carry_out(written, hashlib.sha256(written).hexdigest())
    assert client.posts == ["R-A", "R-B"]
    assert isinstance(error, BillingError)
    assert error.counts == {"created": 2, "held": 1, "invalid": 1}


WIRE = ("document", "wire")


@pytest.mark.parametrize(
    ("line", "path", "value", "problem"),
    [
        (0, ("tenant",), KeyError, "header lacks tenant"),
        (0, ("colour",), "red", "header has members that plans do not have"),
        (0, ("counts",), [], "header has another counts"),
        (0, ("counts", "create"), True, "header has another counts"),
        (0, ("counts", "sent"), 0, "header has another counts"),
        (0, ("amount",), 216.2, "header has another amount"),
        (0, ("amount",), "1.00", "the records add up to CHF 216.20, its header says 1.00"),
        (0, ("plan",), "1", "no plan of this version"),
        (0, ("plan",), True, "no plan of this version"),
        (0, ("closed_until",), "yesterday", "header has another closed_until"),
        (0, ("customers",), {}, "header has another customers"),
        (1, ("number",), "R-Z", "record 1 is about another document than it holds"),
        (1, ("number",), KeyError, "record 1 lacks number"),
        (1, (*WIRE, "invnumber"), "R-Z", "record 1 is about another document than it holds"),
        (1, ("document",), None, "record 1 lacks its document"),
        (1, ("document",), KeyError, "record 1 lacks document"),
        (1, ("document",), [], "record 1 has another document"),
        (1, ("document", "wire"), KeyError, "the document of record 1 cannot be read"),
        (1, ("document", "wire"), "x", "the document of record 1 cannot be read"),
        (1, ("document", "expected"), 108, "record 1 has another document"),
        (1, (*WIRE, "colour"), "red", "record 1 is about another document"),
        (1, (*WIRE, "invnumber"), KeyError, "the document of record 1 cannot be read"),
        (1, (*WIRE, "incomeentries", "incomeentry", 0, "amount"), 100, "record 1 has another document"),
        (1, (*WIRE, "incomeentries", "incomeentry", 0, "amount"), "900.00", "record 1 is about another document"),
        (1, ("position",), 2, "record 1 says that it is record 2"),
        (1, ("position",), "1", "record 1 has another position"),
        (1, ("position",), True, "record 1 has another position"),
        (1, ("decision",), "send", "record 1 has another decision"),
        (1, ("decision",), "unchanged", "the records say"),
        (1, ("reasons",), "none", "record 1 has another reasons"),
        (1, ("reasons",), ["bad"], "record 1 is to be sent and has reasons against it"),
        (1, ("gross",), "1.00", "record 1 is about another document"),
        (1, ("gross",), "NaN", "record 1 has another gross"),
        (1, ("transdate",), "2026-99-15", "record 1 has another transdate"),
        (1, ("customernumber",), "K-2", "record 1 is about another document"),
        (1, ("record",), KeyError, "record 1 lacks record"),
        (1, ("colour",), "red", "record 1 has members that plans do not have"),
        (4, ("decision",), "unchanged", "record 4 lacks its document"),
        (4, ("reasons",), ["\ud83d"], "record 4 has another reasons"),
    ],
)  # fmt: skip
def test_a_plan_that_says_something_else_than_was_written_is_refused(
    written: bytes, line: int, path: tuple[Any, ...], value: Any, problem: str
) -> None:
    assert problem in refuse(change_member(written, line, path, value))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda lines: [*lines[:2], lines[1], *lines[2:]], "record 2 says that it is record 1"),
        (lambda lines: [lines[0], lines[2], lines[1], *lines[3:]], "record 1 says that it is record 2"),
        (lambda lines: [*lines[:2], *lines[3:]], "record 2 says that it is record 3"),
        (lambda lines: [*lines, lines[0]], "record 5 lacks position"),
        (lambda lines: [*lines[:-1], lines[-1][:-1]], "record 4 is cut off"),
        (lambda lines: [*lines[:-1], lines[-1][:-9]], "record 4 cannot be read"),
        (lambda lines: [*lines, b"\n"], "record 5 cannot be read"),
        (lambda lines: [lines[0], b"[]\n", *lines[2:]], "record 1 is cut off, or is not an object"),
        (lambda lines: [lines[0], b"null\n", *lines[2:]], "record 1 is cut off, or is not an object"),
        (lambda lines: [lines[0], b"[" * 100_000 + b"\n", *lines[2:]], "record 1 cannot be read"),
        (lambda lines: [lines[0], lines[1].replace("ü".encode(), b"\xfc"), *lines[2:]], "record 1 cannot be read"),
        (lambda lines: [line.decode().encode("utf-16") for line in lines], "header cannot be read"),
        (lambda lines: [lines[0], lines[1].replace(b"{", b'{"number": "R-Z", ', 1), *lines[2:]], "each member once"),
        (lambda lines: [lines[0], lines[1].replace(b'{"wire"', b'{"expected": null, "wire"', 1), *lines[2:]],
         "record 1 has another document"),
    ],
)  # fmt: skip
def test_a_plan_whose_lines_are_not_those_that_were_written_is_refused(
    written: bytes, change: Callable[[list[bytes]], list[bytes]], problem: str
) -> None:
    assert problem in refuse(b"".join(change(written.splitlines(keepends=True))))


@given(changes=st.lists(mutations(), min_size=1, max_size=3))
def test_a_changed_plan_is_refused_or_books_exactly_what_its_documents_say(
    written: bytes, changes: list[Mutation]
) -> None:
    content = written
    for change in changes:
        content = change(content)
    try:
        client, error = carry_out(content)
    except ConfigurationError as refusal:  # of the header
        client, error = FakeClient(), refusal
    if isinstance(error, ConfigurationError):
        assert client.posts == []
        return
    assert error is None or isinstance(error, BillingError)
    lines = [json.loads(line) for line in content.splitlines()[1:]]
    meant = {line["number"]: line["document"]["wire"] for line in lines if line["decision"] == "create"}
    assert len(client.posts) == len(set(client.posts))
    assert set(client.posts) <= set(meant)
    booked = {entity["invnumber"]: entity for entity in client.invoices}
    for number in client.posts:
        assert InvoiceSchema().to_wire(InvoiceSchema().from_wire(meant[number])) == meant[number]
        sent = {
            name: booked[number][name] for name in InvoiceSchema().from_wire(meant[number]) if name in booked[number]
        }
        assert InvoiceSchema().to_wire(sent) == meant[number]


@given(record=records(InvoiceSchema))
def test_any_valid_document_is_read_from_its_plan_as_it_was_written(record: dict[str, Any]) -> None:
    rules = InputRules(send_customers=True, currencies={record.get("currency") or "CHF"})
    kind = InvoiceKind(FakeClient().as_client(), Policy(rules=rules))
    try:
        document = kind.read(record, 1)
    except InvalidInputError:
        assume(False)
    stream = BytesIO()
    with WorkingSet[InvoiceDocument]() as working_set, WorkingSet[InvoiceDocument]() as again:
        working_set.add(document, record)
        working_set.decide_to_send(document)
        list(PlanWriter(stream, PlanHeader("demo", "https://rma.example", "run", ""), working_set).write())
        load_plan(kind, again, PlanReader(BytesIO(stream.getvalue())))
        assert [found.content_hash for found in again.pending()] == [document.content_hash]


@pytest.mark.parametrize("plan_hash", ["", "None", "abc", "A" * 64, 7])
def test_a_hash_that_is_none_refuses(written: bytes, plan_hash: Any) -> None:
    client, error = carry_out(written, plan_hash)
    assert isinstance(error, ConfigurationError)
    assert "plan_hash must be a SHA-256" in str(error)
    assert client.posts == []


def test_the_rules_of_the_run_that_carries_a_plan_out_hold() -> None:
    client = FakeClient(customers=[{"customernumber": "K-001"}])
    loose = InputRules(
        send_customers=True, currencies={"CHF", "EUR"}, date_range=DateRange(date(2026, 1, 1), date(2200, 1, 1))
    )
    records = [
        make_invoice(invnumber="R-A"),
        make_invoice(invnumber="R-B", currency="EUR"),
        make_invoice(invnumber="R-C", customernumber=None, customer={"customernumber": "K-2", "name": "Muster"}),
        make_invoice(invnumber="R-D", transdate=date(2150, 1, 1)),
        make_invoice(invnumber="R-E", transdate=date(2026, 1, 31)),
    ]
    result = BillingRun(InvoiceKind(client.as_client(), Policy(rules=loose)), _journal(), memory_folder("loose")).plan(
        records
    )
    assert result.header.counts == {"create": 5}
    policy = Policy(closed_until=date(2026, 1, 31))
    folder = memory_folder("strict")
    run = BillingRun(InvoiceKind(client.as_client(), policy), _journal(), folder, failing_outcomes(None))
    with pytest.raises(BillingError) as caught:
        run.apply(PlanReader(BytesIO(read_memory(result.path))), result.digest, spares_planned=True)
    assert client.posts == ["R-A"]
    assert caught.value.counts == {"created": 1, "invalid": 3, "closed_period": 1}
    text = str(caught.value)
    for word in ("allow_currency", "send_customers", "date_range", "closed until 2026-01-31"):
        assert word in text


def test_how_the_source_of_another_task_writes_amounts_and_dates_does_not_matter(written: bytes) -> None:
    client = FakeClient(customers=[{"customernumber": "K-001"}])
    rules = InputRules(notation=Notation("1.234,50", "MM/DD/YYYY"), input_timezone="Pacific/Auckland")
    kind = InvoiceKind(client.as_client(), Policy(rules=rules))
    BillingRun(kind, _journal(), memory_folder("notation")).apply(PlanReader(BytesIO(written)))
    assert client.posts == ["R-A", "R-B"]
    assert {entity["transdate"] for entity in client.invoices} == {date(2026, 9, 15)}


def test_what_the_run_may_not_send_at_once_is_not_sent_although_a_plan_says_so(written: bytes) -> None:
    client = FakeClient(customers=[{"customernumber": "K-001"}])
    kind = InvoiceKind(client.as_client(), Policy(max_count=1))
    run = BillingRun(kind, _journal(), memory_folder("capped"), failing_outcomes(None))
    with pytest.raises(BillingError, match="max_count"):
        run.apply(PlanReader(BytesIO(written)))
    assert client.posts == []


@pytest.mark.parametrize("spares_planned", [False, True])
def test_an_approved_plan_that_leaves_records_out_may_end_well(spares_planned: bool) -> None:
    client = FakeClient(customers=[{"customernumber": "K-001"}])
    kind = InvoiceKind(client.as_client(), Policy())
    records = [make_invoice(), make_invoice(), make_invoice(), make_invoice(customernumber="K-9"), {"invnumber": "R-X"}]
    result = BillingRun(kind, _journal(), memory_folder("partial")).plan(records)
    folder = memory_folder("applied")
    run = BillingRun(kind, _journal(), folder, failing_outcomes(None))

    def carry_out() -> RunSummary:
        reader = PlanReader(BytesIO(read_memory(result.path)))
        return run.apply(reader, result.digest, spares_planned=spares_planned)

    if spares_planned:
        summary = carry_out()
        assert "2 of them not sent, as the approved plan says" in summary.describe()
    else:
        with pytest.raises(BillingError, match="2 invalid of 5"):
            carry_out()
    rows = [json.loads(line) for line in read_memory(f"{folder.url}/outcomes.ndjson").splitlines()]
    assert [row["outcome"] for row in rows] == ["created"] * 3 + ["invalid"] * 2
    assert "there is no customer K-9 in RMA" in rows[3]["reasons"][0]
    assert len(read_memory(f"{folder.url}/rejects.ndjson").splitlines()) == 2


def test_what_has_changed_since_the_approval_fails_the_run() -> None:
    client = FakeClient(customers=[{"customernumber": "K-001"}])
    kind = InvoiceKind(client.as_client(), Policy())
    result = BillingRun(kind, _journal(), memory_folder("before")).plan([make_invoice(customernumber="K-9")])
    client.customers.append({"customernumber": "K-9"})
    run = BillingRun(kind, _journal(), memory_folder("after"), failing_outcomes(None))
    with pytest.raises(BillingError, match="the approved plan says invalid .*no customer K-9.* now it would be sent"):
        run.apply(PlanReader(BytesIO(read_memory(result.path))), result.digest, spares_planned=True)
    assert client.posts == []


def test_a_second_plan_leaves_the_first_where_it_is() -> None:
    client = FakeClient(customers=[{"customernumber": "K-001"}])
    run = BillingRun(InvoiceKind(client.as_client(), Policy()), _journal(), memory_folder("twice"))
    first = run.plan([make_invoice()])
    before = {name: read_memory(name) for name in files("twice")}
    second = run.plan([make_invoice()])
    assert first.path != second.path
    for result in (first, second):
        assert result.digest in result.path
        assert hashlib.sha256(read_memory(result.path)).hexdigest() == result.digest
        assert read_memory(result.page).startswith(b"<!DOCTYPE html>")
        assert read_memory(result.path.replace(".ndjson", ".md")).decode() == result.markdown
    assert {name: read_memory(name) for name in before} == before
    assert len(files("twice")) == 6


def test_a_plan_that_was_interrupted_has_no_name() -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    client = FakeClient(customers=[{"customernumber": "K-001"}])
    run = BillingRun(InvoiceKind(client.as_client(), Policy()), _journal(), memory_folder("cut"))
    with at("plan.unnamed", interrupt), pytest.raises(KeyboardInterrupt):
        run.plan([make_invoice()])
    assert [name for name in files("cut") if not name.endswith((".md", ".html"))] == []


def test_a_plan_whose_task_is_killed_is_never_taken_for_one(tmp_path: Path) -> None:
    client = FakeClient(customers=[{"customernumber": "K-001"}])
    folder = RunFolder(LocalFileSystem(), str(tmp_path), str(tmp_path))
    run = BillingRun(InvoiceKind(client.as_client(), Policy()), _journal(), folder)

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def plan_and_die() -> None:
        with at("plan.unnamed", die):
            run.plan([make_invoice()])

    process = multiprocessing.get_context("fork").Process(target=plan_and_die)
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    (left,) = [path for path in tmp_path.iterdir() if path.suffix not in (".md", ".html")]
    assert is_perishable(left.name)
    assert read_plan_digest(left.name) is None
    result = run.plan([make_invoice()])
    assert [str(path) for path in tmp_path.glob("plan-*.ndjson")] == [result.path]


# ---------------------------------------------------------------------- over HTTP, against the simulator


def test_a_plan_names_every_decision_and_sends_nothing(bench: Bench, invoice: Make) -> None:
    booked, changed, twice = invoice(), invoice(), invoice()
    bench.bill(booked, changed)
    bench.simulator.control("DELETE", "/requests")
    records = [
        booked,
        changed | {"transdate": date(2026, 9, 16)},
        invoice(),
        invoice(incomeentries=[]),
        twice,
        twice,
        invoice(transdate=date(2026, 1, 31)),
    ]
    path, digest, header = plan(bench, *records, closed_until=date(2026, 1, 31))
    assert header["counts"] == {"closed_period": 1, "conflict": 1, "create": 1, "invalid": 3, "unchanged": 1}
    assert header["amount"] == "108.10"
    assert header["closed_until"] == "2026-01-31"
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [line["decision"] for line in lines[1:]] == [
        "unchanged",
        "conflict",
        "create",
        "invalid",
        "invalid",
        "invalid",
        "closed_period",
    ]
    assert "transdate: meant 2026-09-16, booked 2026-09-15" in lines[2]["reasons"]
    assert lines[3]["gross"] == "108.10"
    assert bench.posts() == 0
    assert len(digest) == 64


def test_a_plan_is_carried_out_exactly(bench: Bench, invoice: Make) -> None:
    records = [invoice(expected_amount="108.10"), invoice(), invoice(transdate="never")]
    path, digest, _ = plan(bench, *records)
    rows = apply(bench, path, digest)
    assert [row["outcome"] for row in rows.values()] == ["created", "created", "invalid"]
    assert bench.posts() == 2
    assert bench.rejects == [json.loads(json.dumps(records[2], default=str))]


def test_what_came_into_the_books_after_the_plan_is_not_sent(bench: Bench, invoice: Make) -> None:
    first, second = invoice(), invoice()
    path, digest, _ = plan(bench, first, second)
    bench.bill(first)
    rows = apply(bench, path, digest)
    assert [row["outcome"] for row in rows.values()] == ["unchanged", "created"]
    assert len(bench.booked(first["invnumber"])) == 1


def test_what_the_plan_does_not_send_is_not_sent(bench: Bench, invoice: Make) -> None:
    record = invoice()
    path, digest, header = plan(bench, record, closed_until=date(2026, 12, 31))
    assert header["counts"] == {"closed_period": 1}
    row = apply(bench, path, digest)[record["invnumber"]]
    assert row["outcome"] == "held"
    assert "the approved plan says closed_period" in row["reasons"][0]
    assert bench.posts() == 0
    assert isinstance(bench.error, BillingError)


def test_a_plan_other_than_the_approved_one_is_refused(bench: Bench, invoice: Make) -> None:
    record = invoice()
    path, digest, _ = plan(bench, record)
    path.write_text(path.read_text(encoding="utf-8").replace("3400", "3200"), encoding="utf-8")
    apply(bench, path, digest)
    assert isinstance(bench.error, ConfigurationError)
    assert "not the one that was approved" in str(bench.error)
    assert bench.posts() == 0


@pytest.mark.parametrize("cut", [0, 1])
def test_a_damaged_plan_is_refused(bench: Bench, invoice: Make, cut: int) -> None:
    path, _, _ = plan(bench, invoice(), invoice())
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-1]) if cut else b"".join(lines)[:-20])
    apply(bench, path)
    assert isinstance(bench.error, ConfigurationError)
    assert "damaged" in str(bench.error)
    assert bench.posts() == 0


def test_a_plan_of_another_tenant_is_refused(bench: Bench, invoice: Make) -> None:
    path, _, _ = plan(bench, invoice())
    path.write_text(path.read_text(encoding="utf-8").replace('"tenant": "demo"', '"tenant": "other"'), encoding="utf-8")
    apply(bench, path)
    assert "made for tenant other" in str(bench.error)
    assert bench.posts() == 0


def test_a_plan_says_field_by_field_what_full_customers_do_to_master_data(bench: Bench, invoice: Make) -> None:
    bench.save({"customernumber": "P-1", "name": "Beispiel AG", "city": "Chur", "phone": "000 000 00 01"})
    changed = {"customernumber": "P-1", "name": "Beispiel AG", "city": "Davos"}
    new = {"customernumber": "P-2", "name": "Muster GmbH"}
    records = [invoice(customernumber=None, customer=customer) for customer in (changed, new)]
    with bench.client() as client:
        policy = Policy(rules=InputRules(send_customers=True), total_deadline=2.0)
        run = BillingRun(InvoiceKind(client, policy), bench.journal(), bench.output())
        result = run.plan(records)
    first, second = result.header.customers
    assert (first["action"], first["changed"]) == ("overwrite", ["city"])
    assert "phone" in first["lost"]
    assert second["action"] == "create"
    assert "1 customer would be created with invoices: P-2" in result.markdown.replace("\\", "")
    assert "city of 1 customer would be overwritten: P-1" in result.markdown.replace("\\", "")
    assert "Davos" not in result.markdown
    assert "Davos" not in Path(result.page).read_text(encoding="utf-8")
