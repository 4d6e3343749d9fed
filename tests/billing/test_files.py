"""The files of a run: names, content, and what may be removed."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from hashlib import sha256
from typing import Any

import pytest
from fsspec.implementations.memory import MemoryFileSystem
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_rma.billing.files import (
    IMPORT_REPORT,
    OUTCOMES,
    RunFolder,
    folder_name,
    is_perishable,
    plan_file_name,
    read_plan_digest,
    read_refused_numbers,
)
from airflow_provider_rma.billing.outcomes import DocumentResult, Outcome, RunSummary
from airflow_provider_rma.exceptions import ConfigurationError

RESULTS: list[tuple[DocumentResult, dict[str, Any]]] = [
    (DocumentResult(1, "R-1", Outcome.CREATED, gross=Decimal("108.10")), {"invnumber": "R-1"}),
    (DocumentResult(2, "R-2", Outcome.INVALID, ("currency: is unknown",)), {"invnumber": "R-2", "notes": "Zürich"}),
]


@pytest.fixture
def folder() -> RunFolder:
    fs = MemoryFileSystem()
    fs.store.clear()
    return RunFolder(fs, "/run", "memory://run")


def lines(folder: RunFolder, path: str) -> list[bytes]:
    with folder.fs.open(path.replace(folder.url, folder.folder), "rb") as stream:
        return stream.read().splitlines()


def names(folder: RunFolder) -> list[str]:
    return [str(path).rpartition("/")[2] for path in folder.fs.find(folder.folder)]  # type: ignore[attr-defined]


def test_a_name_as_a_folder() -> None:
    assert folder_name("muster ag/zürich") == "muster-ag-zurich~" + sha256("muster ag/zürich".encode()).hexdigest()[:12]


def test_an_outcome_file_has_every_record_and_the_rejects_those_to_correct(folder: RunFolder) -> None:
    summary = RunSummary("invoices", "run")
    folder.write_outcomes(RESULTS, summary)
    folder.write_rejects(RESULTS, summary)
    assert (summary.outcome_path, summary.rejects_path) == (
        "memory://run/outcomes.ndjson",
        "memory://run/rejects.ndjson",
    )
    assert [json.loads(line)["outcome"] for line in lines(folder, summary.outcome_path)] == ["created", "invalid"]
    assert [json.loads(line) for line in lines(folder, summary.rejects_path)] == [RESULTS[1][1]]


def test_a_run_without_rejects_names_no_rejects_file(folder: RunFolder) -> None:
    summary = RunSummary("invoices", "run")
    folder.write_rejects(RESULTS[:1], summary)
    assert summary.rejects_path == ""


def test_refused_numbers_are_read_with_their_reason(folder: RunFolder) -> None:
    summary = RunSummary("customers", "run")
    folder.write_outcomes([*RESULTS, (DocumentResult(3, "R-3", Outcome.HELD), {})], summary)
    refused = read_refused_numbers(lines(folder, summary.outcome_path))
    assert refused == {"R-2": "currency: is unknown", "R-3": "held"}


@pytest.mark.parametrize(
    "line",
    [
        *(
            b"not json",
            b"[]",
            b"{}",
            b"5",
            b"null",
            b"\xff\xfe",
            b"[" * 100_000,
            b'{"outcome": "invalid"}',
            b'{"number": "K"}',
        ),
        *(
            b'{"outcome": "invalid", "number": "K", "reasons": null}',
            b'{"outcome": "odd", "number": "K"}',
            b'{"outcome": "inv',
        ),
    ],
)
def test_a_file_that_holds_no_outcomes_is_refused_by_line(line: bytes) -> None:
    with pytest.raises(ConfigurationError, match=r"customer_outcomes: line 2 .* Give the outcome_path"):
        read_refused_numbers([b'{"position": 1, "number": "R-1", "outcome": "created"}\n', line + b"\n"])


def test_outcomes_are_perishable_and_import_reports_are_not() -> None:
    assert is_perishable(OUTCOMES)
    assert not is_perishable(IMPORT_REPORT)


@pytest.mark.parametrize("ending", ["ndjson", "md", "html"])
def test_files_of_a_plan_are_perishable_and_say_their_hash(ending: str) -> None:
    name = plan_file_name("a1" * 32, ending)
    assert is_perishable(name)
    assert read_plan_digest(f"s3://bucket/run/{name}") == "a1" * 32


@pytest.mark.parametrize("name", ["plan.ndjson", "plan-1234.ndjson", f"plan-{'g' * 64}.md", f"my-plan-{'a' * 64}.md"])
def test_a_name_of_another_form_says_no_hash(name: str) -> None:
    assert read_plan_digest(name) is None
    assert not is_perishable(name)


def test_a_file_has_its_name_when_it_is_whole(folder: RunFolder) -> None:
    with folder.create_unfinished() as file:
        file.stream.write(b"whole")
        assert not folder.fs.exists(f"{folder.folder}/R")
        path = file.finish("R")
    assert lines(folder, path) == [b"whole"]
    assert names(folder) == ["R"]


def test_a_file_that_was_not_finished_is_removed(folder: RunFolder) -> None:
    def fail() -> None:
        with folder.create_unfinished() as file:
            file.stream.write(b"half")
            raise OSError("no space")

    with pytest.raises(OSError, match="no space"):
        fail()
    assert names(folder) == []


def test_a_file_that_there_is_already_stays_as_it_is(folder: RunFolder) -> None:
    folder.write_text("R", "first")
    with folder.create_unfinished() as file:
        file.stream.write(b"second")
        path = file.finish("R")
    assert lines(folder, path) == [b"first"]
    assert names(folder) == ["R"]


def test_what_a_killed_process_leaves_unfinished_is_perishable(folder: RunFolder) -> None:
    with folder.create_unfinished() as file:
        assert is_perishable(file.name)


@given(st.text(min_size=1), st.text(min_size=1))
def test_two_names_never_share_a_folder(one: str, other: str) -> None:
    assert (folder_name(one) == folder_name(other)) == (one == other)
    assert re.fullmatch(r"[A-Za-z0-9._~-]{1,120}", folder_name(one))
    assert folder_name(one).strip(".")


@pytest.mark.parametrize(
    "names",
    [("a:b", "a+b", "a-b"), ("müller", "möller", "muller"), ("..", ".", "-"), ("x" * 300, "x" * 301), ("a~b", "a-b")],
)
def test_names_that_look_alike_have_folders_of_their_own(names: tuple[str, ...]) -> None:
    assert len({folder_name(name) for name in names}) == len(names)


def test_the_folder_of_a_name_has_a_folder_of_its_own() -> None:
    assert folder_name(folder_name("a:b")) != folder_name("a:b")
