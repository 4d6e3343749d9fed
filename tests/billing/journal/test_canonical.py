"""Rows of other spellings of a service or a number are found under the canonical one."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_rma.billing.evidence.chain import chain_tag
from airflow_provider_rma.billing.journal.canonical import normalize_origin
from airflow_provider_rma.billing.journal.engine import open_engine, write_transaction
from airflow_provider_rma.billing.journal.migrations import STEPS, migrate
from airflow_provider_rma.billing.journal.model import JournalState
from airflow_provider_rma.billing.journal.store import Journal
from tests.support.journal_databases import DATABASES, empty_database

ORIGIN = "https://rma.example"

SPELLINGS = (
    f"{ORIGIN}:443",
    "HTTPS://RMA.EXAMPLE",
    f"{ORIGIN}.",
    f"{ORIGIN}./",
    "https://Rma.Example.:443/",
)


@st.composite
def spellings(draw: st.DrawFn) -> str:
    """The origin as somebody may write it."""
    text = "".join(draw(st.sampled_from([char.lower(), char.upper()])) for char in ORIGIN)
    ending = draw(st.sampled_from(["", "."])) + draw(st.sampled_from(["", ":443", ":0443"]))
    return text + ending + draw(st.sampled_from(["", "/"]))


@pytest.fixture(params=DATABASES)
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> sa.Engine:
    """A journal as it was before step 4."""
    engine = open_engine(empty_database(request.param, request, tmp_path))
    migrate(engine, STEPS[:3])
    return engine


def insert(engine: sa.Engine, base_url: str, key: str, number: str, state: str) -> None:
    values = {"base_url": base_url, "key": key, "number": number, "state": state}
    with write_transaction(engine) as connection:
        connection.execute(
            sa.text(
                "INSERT INTO rma_journal (base_url, tenant, kind, key, number, state, version, content_hash, attempts,"
                " created_at, updated_at) VALUES (:base_url, 'demo', 'invoice', :key, :number, :state, 1, 'h', 1, 1, 1)"
            ),
            values,
        )
        connection.execute(
            sa.text(
                "INSERT INTO rma_journal_event (base_url, tenant, kind, key, version, at, state_after, attempts)"
                " VALUES (:base_url, 'demo', 'invoice', :key, 1, 1, :state, 1)"
            ),
            {name: values[name] for name in ("base_url", "key", "state")},
        )


def journal(engine: sa.Engine) -> Journal:
    return Journal(engine, base_url=ORIGIN, tenant="demo", kind="invoice", run="dag/run/task")


@pytest.mark.parametrize("spelling", ["https://rma.example/", "rma.example"])
def test_a_row_of_another_spelling_of_the_service_is_found(engine: sa.Engine, spelling: str) -> None:
    insert(engine, spelling, "r-1", "R-1", "created")
    found = journal(engine)
    assert found.get(["r-1"])["r-1"].state == JournalState.CREATED
    assert [event.after for event in found.history("R-1")] == [JournalState.CREATED]
    assert found.claim("R-1", "h", None, settle_after=60) is None


def test_a_row_under_an_older_form_of_its_number_is_found(engine: sa.Engine) -> None:
    insert(engine, ORIGIN, "u\u0308-77", "U\u0308-77", "unknown")
    found = journal(engine)
    assert [row.state for row in found.get(["ü-77"]).values()] == [JournalState.UNKNOWN]


@pytest.mark.parametrize(
    ("here", "there", "kept"),
    [
        ("released", "created", "created"),
        ("created", "released", "created"),
        ("rejected", "unknown", "unknown"),
        ("claimed", "blocked", "blocked"),
    ],
)
def test_of_two_rows_the_stricter_one_is_kept(engine: sa.Engine, here: str, there: str, kept: str) -> None:
    insert(engine, ORIGIN, "r-1", "R-1", here)
    insert(engine, f"{ORIGIN}/", "r-1", "R-1", there)
    found = journal(engine)
    row = found.get(["r-1"])["r-1"]
    assert (row.state, row.version) == (JournalState(kept), 2)
    last = found.history("R-1")[-1]
    assert (last.before, last.after, last.version) == (JournalState(here), JournalState(kept), 2)
    assert f"merged with R-1 of {ORIGIN}/, which was {there}" in (last.note or "")


def test_rows_of_other_services_stay_where_they_are(engine: sa.Engine) -> None:
    insert(engine, "https://other.example", "r-1", "R-1", "created")
    insert(engine, "no address at all", "r-1", "R-1", "created")
    assert journal(engine).get(["r-1"]) == {}
    with engine.connect() as connection:
        assert set(connection.execute(sa.text("SELECT base_url FROM rma_journal")).scalars()) == {
            "https://other.example",
            "no address at all",
        }


def test_what_is_no_origin_stays_as_it_is() -> None:
    assert normalize_origin("not a host/at all") == "not a host/at all"


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_rows_under_any_spelling_of_the_origin_are_found(engine: sa.Engine, spelling: str) -> None:
    insert(engine, spelling, "r-1", "R-1", "created")
    assert journal(engine).get(["r-1"])["r-1"].state == JournalState.CREATED
    assert [event.after for event in journal(engine).history("R-1")] == [JournalState.CREATED]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_journal_opened_under_any_spelling_of_the_origin_is_the_same(tmp_path: Path, spelling: str) -> None:
    opened = open_engine(f"sqlite:///{tmp_path / 'journal.db'}")
    here = Journal(opened, base_url=ORIGIN, tenant="demo", kind="invoice", run="here")
    there = Journal(opened, base_url=spelling, tenant="demo", kind="invoice", run="there")
    assert here.claim("R-1", "h", None, settle_after=60) is not None
    assert there.claim("R-1", "h", None, settle_after=60) is None
    assert there.scope == here.scope
    opened.dispose()


@given(spellings())
def test_every_spelling_of_an_origin_has_one_name(spelling: str) -> None:
    assert normalize_origin(spelling) == ORIGIN
    assert chain_tag(normalize_origin(spelling), "demo") == chain_tag(ORIGIN, "demo")
