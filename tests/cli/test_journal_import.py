"""``rma journal import``: from a file or a query, for people and for machines."""

from __future__ import annotations

import json
import sqlite3
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_rma.billing.journal.model import JournalState
from tests.support.desk import Desk

_years = count(1930)


@pytest.fixture
def day() -> str:
    """A date in a year of the test's own."""
    return f"{next(_years)}-06-15"


def period(day: str) -> list[str]:
    return ["--from", day[:4] + "-01-01", "--to", day[:4] + "-12-31"]


def record(number: str, day: str, **fields: Any) -> dict[str, Any]:
    entries = [{"amount": "100.00", "income_accno": "3400"}]
    return {
        "invnumber": f"{day[:4]}-{number}", "customernumber": "K-001", "transdate": day, "incomeentries": entries,
        "description": "Frau Beispiel, Geheimweg 7",
    } | fields  # fmt: skip


def book(desk: Desk, *records: dict[str, Any]) -> None:
    for one in records:
        content = {**one, "incomeentries": {"incomeentry": one["incomeentries"]}, "transdate": one["transdate"]}
        answer = desk.simulator.post("/invoices", content)
        assert answer.ok, answer.text


def write(path: Path, *records: dict[str, Any]) -> str:
    path.write_text("".join(json.dumps(one) + "\n" for one in records), encoding="utf-8")
    return str(path)


def test_a_report_for_a_person(desk: Desk, day: str, tmp_path: Path) -> None:
    same, cut, twin = record("1", day), record("2", day), record("3", day, customernumber="K-901")
    book(desk, same, cut, twin | {"invnumber": day[:4] + "-S3"})
    source = write(
        tmp_path / "source.ndjson", same, cut | {"description": cut["description"] + ", 7000 Musterdorf"}, twin
    )
    result = desk.run("journal", "import", *period(day), "--source", source, "--report", str(tmp_path / "report"))
    assert result.exit_code == 1, result.output
    lines = result.stdout.splitlines()
    assert [line.split()[:3] for line in lines if line.startswith("match")] == [["match", "1", "100.00"]]
    assert "Fields that differ: description 1" in lines
    assert f"  {day[:4]}-2: description" in lines
    assert f"probably booked as {day[:4]}-S3" in result.stdout
    assert "Nothing was journalled: this is a report. Repeat it with --write." in lines
    assert not any(word in result.stdout for word in ("Geheimweg", "Beispiel", "Musterdorf"))
    report = (tmp_path / "report" / "journal-import.ndjson").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["kind"] for line in report] == ["match", "near_match", "probable_duplicate", "extra"]
    assert f"All findings: file://{tmp_path / 'report'}/journal-import.ndjson" in lines
    assert desk.journal().get([f"{day[:4]}-1"]) == {}


def test_write_journals_and_blocks_and_a_person_decides(desk: Desk, day: str, tmp_path: Path) -> None:
    same, twin = record("1", day), record("3", day, customernumber="K-901")
    book(desk, same, twin | {"invnumber": day[:4] + "-s3"})
    source = write(tmp_path / "source.ndjson", same, twin)
    values = desk.json("journal", "import", *period(day), "--source", source, "--write", exit_code=1)
    assert values["counts"] == {"match": 1, "probable_duplicate": 1, "extra": 1}
    assert values["totals"] == {"match": "100.00", "probable_duplicate": "100.00", "extra": "100.00"}
    assert (values["journalled"]["added"], values["blocked"]) == (1, 1)
    keys = [same["invnumber"], twin["invnumber"]]
    assert [entry.state for entry in desk.journal().get(keys).values()] == [JournalState.CREATED, JournalState.BLOCKED]
    shown = desk.run("journal", "show", twin["invnumber"])
    assert "blocked (not in the books under its number, and not sent until a person has decided)" in shown.stdout
    assert "probably booked as" in shown.stdout
    accepted = desk.run(
        "journal", "import", *period(day), "--source", source, "--write", "--accept", twin["invnumber"], "--by", "A. M"
    )
    assert accepted.exit_code == 1
    assert "Journalled as booked: 0 (known before: 1)." in accepted.stdout
    assert desk.json("journal", "show", twin["invnumber"])["state"] == "released"
    assert "according to A. M" in desk.run("journal", "show", twin["invnumber"]).stdout


def test_resolve_decides_about_a_blocked_number_without_force(desk: Desk, day: str, tmp_path: Path) -> None:
    twin = record("3", day)
    book(desk, twin | {"invnumber": day[:4] + "-s3"})
    desk.run("journal", "import", *period(day), "--source", write(tmp_path / "s.ndjson", twin), "--write")
    decided = desk.run(
        "journal", "resolve", twin["invnumber"], "--as", "absent", "--by", "A. M", "--reason", "two orders"
    )
    assert decided.exit_code == 0, decided.output
    assert "is now released" in decided.stdout


def test_everything_matches(desk: Desk, day: str, tmp_path: Path) -> None:
    same = record("1", day)
    book(desk, same)
    source = write(tmp_path / "source.ndjson", same)
    result = desk.run("journal", "import", *period(day), "--source", source, "--write")
    assert result.exit_code == 0, result.output
    assert "Journalled as booked: 1 (known before: 0)." in result.stdout
    folder = desk.home / "rma" / "demo" / "journal-import" / f"{day[:4]}-01-01_{day[:4]}-12-31"
    assert (folder / "journal-import.ndjson").exists()


def test_the_source_may_be_a_query(desk: Desk, day: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    book(desk, record("1", day, description=""))
    with sqlite3.connect(tmp_path / "erp.db") as database:
        database.execute("CREATE TABLE line (number TEXT, customer TEXT, day TEXT, amount TEXT, account TEXT)")
        database.executemany(
            "INSERT INTO line VALUES (?, 'K-001', ?, ?, '3400')",
            [(day[:4] + "-1", day, "100.00")],
        )
    database.close()
    connection = {"conn_type": "sqlite", "host": str(tmp_path / "erp.db")}
    monkeypatch.setenv("AIRFLOW_CONN_ERP", json.dumps(connection))
    query = tmp_path / "invoices.sql"
    query.write_text(
        "SELECT number AS invnumber, customer AS customernumber, day AS transdate, amount AS incomeentries__amount, "
        "account AS incomeentries__income_accno FROM line ORDER BY number",
        encoding="utf-8",
    )
    values = desk.json("journal", "import", *period(day), "--sql-conn", "erp", "--sql", str(query))
    assert values["counts"] == {"match": 1}


@pytest.mark.parametrize(
    "options",
    [[], ["--source", "x.csv", "--sql-conn", "erp"], ["--sql-conn", "erp"], ["--source", "x.csv", "--sql", __file__]],
)
def test_a_source_that_is_not_clear_is_refused(desk: Desk, options: list[str]) -> None:
    result = desk.run("journal", "import", "--from", "2026-01-01", "--to", "2026-01-31", *options)
    assert result.exit_code == 2
    assert "Give --source FILE, or --sql-conn CONN_ID together with --sql FILE." in result.stderr


def test_a_source_that_cannot_be_read_is_an_error(desk: Desk, tmp_path: Path) -> None:
    for name, message in (
        ("source.xlsx", "a file ending in '.xlsx' cannot be read"),
        ("none.csv", "the file does not exist"),
    ):
        result = desk.run(
            "journal", "import", "--from", "2026-01-01", "--to", "2026-01-31", "--source", str(tmp_path / name)
        )
        assert result.exit_code == 2, result.output
        assert message in result.stderr
