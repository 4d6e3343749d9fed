"""Plans: nothing is sent while planning, and exactly the plan is carried out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_rma.billing.kinds.invoice import InvoiceKind
from airflow_provider_rma.billing.kinds.invoice_document import InvoiceDocument
from airflow_provider_rma.billing.outcomes import DocumentResult, Outcome, RunSummary, failing_outcomes
from airflow_provider_rma.billing.plan_file import PlanHeader, PlanReader, PlanWriter, load_plan
from airflow_provider_rma.billing.policy import InputRules, Policy
from airflow_provider_rma.billing.run import BillingRun
from airflow_provider_rma.billing.working_set import WorkingSet
from airflow_provider_rma.exceptions import BillingError, ConfigurationError
from tests.support.billing_bench import Bench
from tests.support.billing_desk import Desk
from tests.support.invoices import make_invoice

Make = Callable[..., dict[str, Any]]


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
        assert [again.planned(position) for position in (1, 2)] == ["create", "invalid"]
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
