"""``rma journal``: what it tells a person on call, what it tells a machine, and what it refuses."""

from __future__ import annotations

import time
from decimal import Decimal

import pytest

from airflow_provider_rma.billing.booked import BookedDocument
from airflow_provider_rma.billing.journal.model import JournalState
from airflow_provider_rma.billing.journal.runs import RunRegistry
from airflow_provider_rma.billing.kinds.invoice_document import recovery_tag
from airflow_provider_rma.billing.numbers import normalize_number
from tests.support.desk import Desk

HASH = "0123456789abcdef" * 4


def test_an_empty_journal(desk: Desk) -> None:
    result = desk.run("journal", "status")
    assert (result.exit_code, result.stdout) == (0, "The journal is empty.\n")


def test_status_counts_by_tenant_kind_and_state(desk: Desk) -> None:
    one = desk.journal()
    for number, state in (("R-1", JournalState.CREATED), ("R-2", JournalState.CREATED), ("R-3", JournalState.REJECTED)):
        entry = one.claim(number, HASH, None, settle_after=60)
        assert entry is not None
        one.record(entry, state)
    desk.journal("customer").import_booked(BookedDocument("K-1"), HASH)
    desk.journal(tenant="other").import_booked(BookedDocument("R-1"), HASH)
    result = desk.run("journal", "status")
    assert result.exit_code == 0
    table = [line.split() for line in result.stdout.splitlines()]
    assert table[0] == ["SERVICE", "TENANT", "KIND", "CLAIMED", "UNKNOWN", "CREATED", "REJECTED", "RELEASED", "BLOCKED"]
    assert [row[1:] for row in table[1:4]] == [
        ["demo", "customer", "0", "0", "1", "0", "0", "0"],
        ["demo", "invoice", "0", "0", "2", "1", "0", "0"],
        ["other", "invoice", "0", "0", "1", "0", "0", "0"],
    ]
    assert "Nothing is in doubt." in result.stdout
    only = desk.json("journal", "status", "--conn", "rma_default")
    assert {row["tenant"] for row in only["counts"]} == {"demo"}


def test_status_lists_runs_that_are_not_on_record(desk: Desk) -> None:
    journal = desk.journal()
    registry = RunRegistry(journal)
    registry.enter("/rma/run", "/rma/run", input_hash="", plan_hash="", approver="")
    entry = journal.claim("R-1", HASH, None, settle_after=60)
    assert entry is not None
    journal.record(entry, JournalState.CREATED)
    result = desk.run("journal", "status")
    assert result.exit_code == 0
    assert "Not on record yet: 1." in result.stdout
    assert "billing/manual/invoices" in result.stdout
    (run,) = desk.json("journal", "status", "--conn", "rma_default")["not_on_record"]
    assert (run["run"], run["documents"]) == ("billing/manual/invoices", 1)
    (found,) = RunRegistry(desk.journal()).list_incomplete()
    with desk.journal().engine.begin() as connection:
        RunRegistry(desk.journal()).mark_earlier(connection, 1, found, {"r-1"})
    registry.mark_files(found)
    assert "Not on record" not in desk.run("journal", "status").stdout


def test_status_names_what_is_in_doubt_and_what_to_do(desk: Desk) -> None:
    desk.journal().claim("R-1", HASH, None, settle_after=3600)
    result = desk.run("journal", "status")
    assert result.exit_code == 0
    assert "In doubt: 1" in result.stdout
    assert "wait until 2" in result.stdout
    entry = desk.journal(tenant="other", clock=lambda: time.time() - 600).claim("R-2", HASH, None, settle_after=60)
    assert entry is not None
    result = desk.run("journal", "status")
    assert result.exit_code == 1
    assert "clear the task or run the DAG again (settled 9 min ago)" in result.stdout
    values = desk.json("journal", "status", exit_code=1)
    assert {row["number"]: row["alive"] for row in values["in_doubt"]} == {"R-1": True, "R-2": False}
    assert desk.run("journal", "status", "--conn", "rma_default").exit_code == 0


def test_show_tells_the_story_in_zurich_time(desk: Desk) -> None:
    one = desk.journal(clock=lambda: 1_780_000_000.0)
    entry = one.claim("R-1", HASH, None, settle_after=60)
    assert entry is not None
    one.record(entry, JournalState.UNKNOWN, note="no reply")
    entry = one.get(["r-1"])["r-1"]
    one.record(
        entry,
        JournalState.CREATED,
        booked=BookedDocument("R-1", "77", Decimal("100.00"), Decimal("108.10"), "CHF"),
    )
    result = desk.run("journal", "show", "r-1")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == "Number       R-1"
    assert "State        created (in the books)" in lines
    assert "Gross        108.10 CHF" in lines
    story = lines[lines.index("") + 2 :]
    assert [line.split()[2:4] for line in story] == [["-", "claimed"], ["claimed", "unknown"], ["unknown", "created"]]
    assert all(line.startswith("2026-05-28 22:26:40") for line in story)
    assert "no reply" in story[1]
    values = desk.json("journal", "show", "R-1")
    assert values["gross"] == "108.10"
    assert values["events"][1] == {
        "version": 2,
        "at": "2026-05-28T22:26:40+02:00",
        "run": "billing/manual/invoices",
        "before": "claimed",
        "after": "unknown",
        "attempts": 1,
        "note": "no reply",
    }


def test_show_of_a_number_that_was_never_sent(desk: Desk) -> None:
    result = desk.run("journal", "show", "R-404")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "R-404" in result.stderr
    assert "--kind" in result.stderr


def test_kinds_are_apart(desk: Desk) -> None:
    desk.journal("customer").import_booked(BookedDocument("K-1"), HASH)
    assert desk.run("journal", "show", "K-1").exit_code == 2
    assert desk.run("journal", "show", "K-1", "--kind", "customer").exit_code == 0


@pytest.mark.parametrize(("verdict", "state"), [("booked", "created"), ("absent", "released")])
def test_resolve_is_recorded(desk: Desk, verdict: str, state: str) -> None:
    desk.journal(clock=lambda: time.time() - 600).claim("R-1", HASH, None, settle_after=60)
    result = desk.run("journal", "resolve", "R-1", "--as", verdict, "--by", "anna", "--reason", "looked it up")
    assert result.exit_code == 0, result.stderr
    assert f"invoice R-1 of tenant demo is now {state}" in result.stdout
    last = desk.json("journal", "show", "R-1")["events"][-1]
    assert (last["before"], last["after"]) == ("claimed", state)
    assert last["note"] == f"{verdict} according to anna: looked it up"
    assert last["run"] == "rma journal resolve"


def test_resolve_needs_force_while_the_document_may_still_appear(desk: Desk) -> None:
    desk.journal().claim("R-1", HASH, None, settle_after=3600)
    command = ("journal", "resolve", "R-1", "--as", "absent", "--by", "anna", "--reason", "the worker is gone")
    refused = desk.run(*command)
    assert refused.exit_code == 2
    assert "may still appear in the books" in refused.stderr
    assert desk.journal().get(["r-1"])["r-1"].state == JournalState.CLAIMED
    assert desk.run(*command, "--force").exit_code == 0
    assert desk.journal().get(["r-1"])["r-1"].state == JournalState.RELEASED


@pytest.mark.parametrize("missing", ["--as", "--by", "--reason"])
def test_resolve_wants_to_know_everything(desk: Desk, missing: str) -> None:
    given = {"--as": "booked", "--by": "anna", "--reason": "seen"}
    del given[missing]
    result = desk.run("journal", "resolve", "R-1", *(part for pair in given.items() for part in pair))
    assert result.exit_code == 2
    assert missing in result.stderr
    assert desk.run("journal", "resolve", "R-1", "--as", "booked", "--by", " ", "--reason", "seen").exit_code == 2


def post(desk: Desk, number: str, intnotes: str | None) -> None:
    answer = desk.simulator.post(
        "/invoices",
        {
            "invnumber": number,
            "customernumber": "K-001",
            "transdate": "2026-09-15T00:00:00+02:00",
            "duedate": "2026-10-15T00:00:00+02:00",
            "currency": "CHF",
            "incomeentries": {"incomeentry": [{"amount": "100.00", "income_accno": "3400"}]},
        }
        | ({"intnotes": intnotes} if intnotes else {}),
    )
    assert answer.status_code == 204, answer.text


def test_rebuild_journals_what_carries_a_mark_and_posts_nothing(desk: Desk) -> None:
    post(desk, "M-1", recovery_tag(HASH))
    post(desk, "M-2", f"Auftrag 7\n{recovery_tag(HASH)}")
    post(desk, "M-3", f"zitiert {recovery_tag(HASH)} im Text")
    post(desk, "M-4", None)
    desk.simulator.control("DELETE", "/requests")
    values = desk.json("journal", "rebuild")
    assert (values["tagged"], values["added"], values["known"], values["repeated"]) == (2, 2, 0, 0)
    assert values["read"] >= 4
    received = desk.simulator.control("GET", "/requests")["received"]
    assert not [name for name in received if name.startswith("POST")]
    rows = desk.journal().get(map(normalize_number, ("M-1", "M-2", "M-3", "M-4")))
    assert sorted(rows) == ["m-1", "m-2"]
    assert (rows["m-1"].state, rows["m-1"].content_hash, rows["m-1"].gross) == (
        JournalState.CREATED,
        HASH[:16],
        Decimal("100.00"),
    )
    again = desk.run("journal", "rebuild")
    assert again.exit_code == 0
    assert "carry no recovery tag" in again.stdout
    assert again.stdout.splitlines()[1].split()[1:] == ["2", "0", "0", "2", "0"]
    post(desk, "m-2", recovery_tag(HASH))
    result = desk.run("journal", "rebuild")
    assert result.exit_code == 1
    assert "have all but one removed: m-2" in result.stdout.casefold()


def test_a_read_only_connection_is_enough(desk: Desk) -> None:
    desk.connect(extra={"allow_writes": False})
    assert desk.run("journal", "rebuild").exit_code in (0, 1)


def test_a_connection_that_does_not_exist(desk: Desk) -> None:
    result = desk.run("journal", "show", "R-1", "--conn", "rma_nowhere")
    assert result.exit_code == 2
    assert "no connection 'rma_nowhere'" in result.stderr
    assert "Traceback" not in result.output


def test_a_journal_that_cannot_be_read(desk: Desk) -> None:
    (desk.home / "rma").mkdir()
    (desk.home / "rma" / "journal.db").write_bytes(b"no database at all, but long enough to be taken for one" * 30)
    result = desk.run("journal", "status")
    assert result.exit_code == 2
    assert "journal cannot be read or written" in result.stderr


def test_a_service_that_is_down(desk: Desk) -> None:
    desk.connect(host="http://127.0.0.1:1", extra={"connect_timeout": 1})
    desk.monkeypatch.setattr("time.sleep", lambda seconds: None)
    result = desk.run("journal", "rebuild")
    assert result.exit_code == 2
    assert desk.simulator.token not in result.output
