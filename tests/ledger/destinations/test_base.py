"""What every destination must do, whatever lies beneath."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from airflow_provider_rma.exceptions import DestinationError
from airflow_provider_rma.ledger import arrow_schemas, contract
from airflow_provider_rma.ledger.destinations.base import WindowTables
from airflow_provider_rma.ledger.fingerprint import Fingerprinter
from tests.support.ledger.warehouses import Warehouse
from tests.support.ledger.window_fixtures import (
    AUGUST,
    JULY,
    SEPTEMBER,
    TENANT,
    balances,
    batch,
    change,
    load_row,
    load_window,
    posting,
    proofs,
    raw,
    reject_window,
    table,
)
from tests.support.scope import scaled

TWO = [posting("1000", -100, entry_id=1), posting("3200", 100, entry_id=2)]


def _loaded(warehouse: Warehouse, **where: Any) -> list[tuple[str, Decimal, str]]:
    return [(row["accno"], row["amount"], row["load_id"]) for row in warehouse.read("postings", **where)]


def test_a_new_warehouse_is_empty(warehouse: Warehouse) -> None:
    with warehouse.open() as destination:
        assert destination.count_postings(TENANT, AUGUST) == 0
        assert not destination.is_loaded(TENANT, AUGUST)
        assert destination.read_fingerprints(TENANT, AUGUST) == {}
        assert destination.read_convention(TENANT) is None


def test_a_window_arrives_with_everything_that_belongs_to_it(warehouse: Warehouse) -> None:
    with warehouse.open() as destination:
        with destination.stage(TENANT, AUGUST) as stage:
            for row in TWO:
                stage.write(batch(row))
            stage.commit(WindowTables(balances=balances(("1000", "5", "105")), proofs=proofs("1000"), load=load_row(2)))
        assert destination.count_postings(TENANT, AUGUST) == 2
        assert destination.is_loaded(TENANT, AUGUST)
    assert warehouse.read("postings") == table("postings", TWO).to_pylist()
    assert warehouse.read("balances") == balances(("1000", "5", "105")).to_pylist()
    assert warehouse.read("proofs") == proofs("1000").to_pylist()
    assert warehouse.read("loads") == load_row(2).to_pylist()


def test_the_columns_and_types_are_those_of_the_contract(warehouse: Warehouse) -> None:
    with warehouse.open() as destination:
        load_window(destination, TWO, stated=balances(("1000", "5", "105")))
    for name in ("postings", "balances", "proofs", "loads"):
        (row, *_) = warehouse.read(name)
        assert list(row) == contract.TABLES[name].names


def test_a_window_is_replaced_as_a_whole(warehouse: Warehouse) -> None:
    with warehouse.open() as destination:
        load_window(destination, TWO, stated=balances(("1000", "5", "105")))
        load_window(destination, [posting("6500", -7)], load="L2", stated=balances(("6500", None, None), load="L2"))
        assert destination.count_postings(TENANT, AUGUST) == 1
    assert _loaded(warehouse) == [("6500", raw(-7), "L2")]
    assert [row["load_id"] for row in warehouse.read("balances")] == ["L2"]
    assert [row["load_id"] for row in warehouse.read("proofs")] == ["L2"]
    assert sorted(row["load_id"] for row in warehouse.read("loads")) == ["L1", "L2"]


def test_a_window_may_become_empty(warehouse: Warehouse) -> None:
    with warehouse.open() as destination:
        load_window(destination, TWO, stated=balances(("1000", "5", "105")))
        load_window(destination, [], load="L2")
        assert destination.count_postings(TENANT, AUGUST) == 0
        assert destination.is_loaded(TENANT, AUGUST)
        assert destination.read_fingerprints(TENANT, AUGUST) == {}
    assert _loaded(warehouse) == []
    assert warehouse.read("balances") == []
    assert [(row["load_id"], row["loaded"]) for row in warehouse.read("proofs")] == [("L2", True)]


def test_only_its_own_tenant_and_month_are_replaced(warehouse: Warehouse) -> None:
    with warehouse.open() as destination:
        load_window(destination, TWO)
        load_window(destination, TWO, window=JULY)
        load_window(destination, TWO, tenant="other & sons/2")
        load_window(destination, [], load="L2")
        assert destination.count_postings(TENANT, AUGUST) == 0
        assert destination.count_postings(TENANT, JULY) == 2
        assert destination.count_postings("other & sons/2", AUGUST) == 2
    assert len(warehouse.read("postings", tenant="other & sons/2")) == 2
    assert [row["load_id"] for row in warehouse.read("loads", tenant="other & sons/2")] == ["L1"]


def test_leaving_without_a_decision_changes_nothing(warehouse: Warehouse) -> None:
    with warehouse.open() as destination:
        load_window(destination, TWO)
        with destination.stage(TENANT, AUGUST) as stage:
            stage.write(batch(posting("9999", 1, load="L2")))
        with contextlib.suppress(ZeroDivisionError), destination.stage(TENANT, AUGUST) as stage:
            stage.write(batch(posting("9999", 1, load="L3")))
            raise ZeroDivisionError
        assert destination.count_postings(TENANT, AUGUST) == 2
    assert len(_loaded(warehouse)) == 2
    assert [row["load_id"] for row in warehouse.read("loads")] == ["L1"]


def test_a_refused_attempt_is_recorded_beside_what_is_loaded(warehouse: Warehouse) -> None:
    with warehouse.open() as destination:
        load_window(destination, TWO, stated=balances(("1000", "5", "105")))
        reject_window(destination, load="L2", verdict="broken")
        reject_window(destination, load="L3", verdict="unsettled")
        assert destination.count_postings(TENANT, AUGUST) == 2
    assert [load for _, _, load in _loaded(warehouse)] == ["L1", "L1"]
    assert [row["load_id"] for row in warehouse.read("balances")] == ["L1"]
    window_rows = [row for row in warehouse.read("proofs") if row["accno"] is None]
    assert [(row["load_id"], row["verdict"], row["loaded"]) for row in window_rows] == [
        ("L1", "exact", True),
        ("L3", "unsettled", False),
    ]
    assert {row["load_id"]: row["loaded"] for row in warehouse.read("loads")} == {"L1": True, "L2": False, "L3": False}


def test_a_window_refused_before_it_was_ever_loaded_is_not_loaded(warehouse: Warehouse) -> None:
    with warehouse.open() as destination:
        reject_window(destination)
        assert not destination.is_loaded(TENANT, AUGUST)
        assert destination.count_postings(TENANT, AUGUST) == 0
    assert _loaded(warehouse) == []
    assert len(warehouse.read("proofs")) == 2


def test_a_commit_clears_the_record_of_refused_attempts(warehouse: Warehouse) -> None:
    with warehouse.open() as destination:
        load_window(destination, TWO)
        reject_window(destination, load="L2")
        load_window(destination, TWO, load="L3")
    assert [(row["load_id"], row["loaded"]) for row in warehouse.read("proofs")] == [("L3", True)]
    assert len(warehouse.read("loads")) == 3


def test_an_unchanged_window_is_confirmed_without_touching_its_postings(warehouse: Warehouse) -> None:
    with warehouse.open() as destination:
        load_window(destination, TWO, stated=balances(("1000", "5", "105")))
        with destination.stage(TENANT, AUGUST) as stage:
            stage.write(batch(*({**row, "load_id": "L2"} for row in TWO)))
            stage.confirm(
                WindowTables(
                    balances=balances(("1000", "5", "105"), load="L2"),
                    proofs=proofs(load="L2", verdict="tolerated"),
                    load=load_row(2, load="L2"),
                )
            )
        assert destination.count_postings(TENANT, AUGUST) == 2
    assert [load for _, _, load in _loaded(warehouse)] == ["L1", "L1"]
    assert [row["load_id"] for row in warehouse.read("balances")] == ["L2"]
    assert [row["verdict"] for row in warehouse.read("proofs")] == ["tolerated"]
    assert len(warehouse.read("loads")) == 2


@pytest.mark.parametrize("loaded", [False, True])
def test_what_is_not_there_cannot_be_confirmed(warehouse: Warehouse, loaded: bool) -> None:
    with warehouse.open() as destination:
        if loaded:
            load_window(destination, TWO[:1])
        with destination.stage(TENANT, AUGUST) as stage, pytest.raises(DestinationError, match="another run") as caught:
            stage.confirm(
                WindowTables(
                    balances=arrow_schemas.empty_table("balances"),
                    proofs=proofs(load="L2"),
                    load=load_row(2 if loaded else 0, load="L2"),
                )
            )
    assert caught.value.retryable
    assert [row["load_id"] for row in warehouse.read("loads")] == (["L1"] if loaded else [])


def test_what_loads_found_changed_is_kept_for_good(warehouse: Warehouse) -> None:
    first, second = change(7, "removed", reference=None), change(8, load="L3", module=None, lines_after=2**31 - 1)
    with warehouse.open() as destination:
        load_window(destination, TWO)
        assert destination.read_table("changes", TENANT, AUGUST).num_rows == 0
        load_window(destination, TWO, load="L2", changes=[first])
        reject_window(destination, load="L9")
        with destination.stage(TENANT, AUGUST) as stage:
            stage.confirm(
                WindowTables(
                    balances=arrow_schemas.empty_table("balances"),
                    proofs=proofs(load="L8"),
                    load=load_row(2, load="L8"),
                )
            )
        load_window(destination, [], load="L3", changes=[second])
        load_window(destination, TWO, load="L4")
        load_window(destination, TWO, window=JULY, load="L2", changes=[change(9, window=JULY)])
        assert destination.read_table("changes", TENANT, AUGUST).schema == arrow_schemas.schema("changes")
    assert sorted(warehouse.read("changes"), key=lambda row: row["load_id"]) == [first, second]
    assert sorted(warehouse.query("SELECT load_id, voucher_id FROM changes")) == [("L2", 7), ("L2", 9), ("L3", 8)]


@pytest.mark.parametrize("wrong", [{"tenant": "other"}, {"window": JULY}, {"load": "L9"}, {"change": None}])
def test_changes_of_something_else_are_refused_and_nothing_is_loaded(warehouse: Warehouse, wrong: Any) -> None:
    with warehouse.open() as destination:
        load_window(destination, TWO)
        # DuckDB takes rows from a thread of its own and has its own error for what is wrong with them.
        with pytest.raises((ValueError, DestinationError)):
            load_window(destination, [], load="L2", changes=[change(7), change(8, **wrong)])
        assert destination.count_postings(TENANT, AUGUST) == 2
    assert [row["load_id"] for row in warehouse.read("loads")] == ["L1"]
    assert warehouse.read("changes") == []


def test_the_view_of_changes_says_when_and_by_which_run(with_views: Warehouse) -> None:
    with with_views.open() as destination:
        load_window(destination, TWO)
        load_window(destination, TWO, window=JULY)
        load_window(destination, TWO, load="L2", changes=[change(7)])
        load_window(destination, TWO, load="L2", window=JULY, changes=[change(9, "removed", window=JULY)])
    # `change` alone is a word of MariaDB's.
    columns = (
        "month, voucher_key, voucher_changes.change, lines_after - lines_before, debit_after - debit_before, verdict, "
        "load_id"
    )
    assert with_views.query(f"SELECT {columns} FROM voucher_changes ORDER BY month") == [
        (JULY.start, "acme:gl:9", "removed", 1, Decimal("2.5"), "exact", "L2"),
        (AUGUST.start, "acme:gl:7", "amended", 1, Decimal("2.5"), "exact", "L2"),
    ]
    epoch = "extract(epoch FROM found_at)"
    if with_views.name == "dbapi-mariadb":
        epoch = "timestampdiff(MICROSECOND, '1970-01-01', found_at) / 1e6"
    seconds = with_views.query(f"SELECT DISTINCT {epoch} FROM voucher_changes")
    assert [round(float(found), 3) for (found,) in seconds] == [1788231600.123]


def test_everything_is_still_there_when_it_is_opened_again(warehouse: Warehouse) -> None:
    with warehouse.open() as destination:
        load_window(destination, TWO)
        destination.save_convention(TENANT, {"signs": {"1000": -1}, "wort": "Überschuss"})
        destination.save_convention("other", {"signs": {}})
        destination.save_convention(TENANT, {"signs": {"1000": 1}, "wort": "Überschuss"})
    with warehouse.open() as destination:
        assert destination.count_postings(TENANT, AUGUST) == 2
        assert destination.read_convention(TENANT) == {"signs": {"1000": 1}, "wort": "Überschuss"}
        assert destination.read_convention("other") == {"signs": {}}


def test_amounts_dates_nulls_and_texts_arrive_as_they_were(warehouse: Warehouse) -> None:
    hard = [
        posting(
            "1000",
            amount,
            entry_id=number,
            transdate=date(2026, 8, 1 + number),
            voucher_id=2**53 - number,
            description=text,
            memo=None,
            notes="",
            extra='{"neu": [1, "ü"]}' if number else None,
            department_id=None,
        )
        for number, (amount, text) in enumerate(
            [
                ("0.00000001", "Zürich — «Käse», 日本語, 🧀"),
                ("-0.00000001", "line\nfeed\tand 'quotes' \"double\" \\ back"),
                ("1234567890123456.12345678", "x" * 20_000),
                ("-99999999999999999999.99999999", ""),
                ("0", " leading and trailing "),
            ]
        )
    ]
    with warehouse.open() as destination:
        load_window(destination, hard)
    assert warehouse.read("postings") == table("postings", hard).to_pylist()


def test_fingerprints_of_what_is_loaded_equal_those_of_what_was_read(warehouse: Warehouse) -> None:
    rows = [posting("1000" if n % 3 else "3200", n - 50, entry_id=n, memo=f"memo {n}", notes=None) for n in range(100)]
    read = Fingerprinter()
    read.add(batch(*rows))
    with warehouse.open() as destination:
        load_window(destination, reversed(rows))
        load_window(destination, TWO, window=JULY)
        assert destination.read_fingerprints(TENANT, AUGUST) == read.result()
    assert set(read.result()) == {"1000", "3200"}


def test_many_batches_make_one_window(warehouse: Warehouse) -> None:
    rows = scaled(500, 5_000)
    whole = batch(*(posting("1000", n, entry_id=n) for n in range(rows)))
    many = [whole] * 60
    with warehouse.open() as destination:
        with destination.stage(TENANT, AUGUST) as stage:
            for part in many:
                stage.write(part)
            stage.write(whole.slice(0, 0))
            stage.commit(
                WindowTables(balances=arrow_schemas.empty_table("balances"), proofs=proofs(), load=load_row(60 * rows))
            )
        assert destination.count_postings(TENANT, AUGUST) == 60 * rows
        assert destination.read_fingerprints(TENANT, AUGUST)["1000"].sum == raw(60 * sum(range(rows)))


def test_postings_are_read_back_before_and_after_they_count(warehouse: Warehouse) -> None:
    columns = ("amount", "voucher_id", "accno", "memo")

    def taken(batches: Iterable[pa.RecordBatch]) -> list[tuple[Any, ...]]:
        return sorted(tuple(row[name] for name in part.schema.names) for part in batches for row in part.to_pylist())

    with warehouse.open() as destination:
        load_window(destination, [posting("9999", 1)], window=JULY)
        assert taken(destination.read_loaded(TENANT, AUGUST, columns)) == []
        with destination.stage(TENANT, AUGUST) as stage:
            for row in TWO:
                stage.write(batch(row))
            # Left in the middle, as where reading what is compared with fails.
            assert next(stage.read_staged(columns)).num_rows > 0
            staged = [taken(stage.read_staged(columns)) for _ in range(2)]
            with pytest.raises(RuntimeError, match="has been read"):
                stage.write(batch(*TWO))
            stage.commit(
                WindowTables(balances=arrow_schemas.empty_table("balances"), proofs=proofs(), load=load_row(2))
            )
        loaded = taken(destination.read_loaded(TENANT, AUGUST, columns))
        with destination.stage(TENANT, AUGUST) as stage:
            assert taken(stage.read_staged(columns)) == []
    assert staged == [loaded, loaded]
    assert loaded == [(raw(-100), 1, "1000", None), (raw(100), 1, "3200", None)]
    assert len(_loaded(warehouse)) == 2


def _accounts(tenant: str, load: str, *numbers: str) -> pa.Table:
    return table(
        "accounts",
        (
            {
                "tenant": tenant,
                "accno": number,
                "description": f"Konto {number}",
                "allow_gl": True,
                "kind": "balance_sheet",
                "kind_source": "first_digit",
                "load_id": load,
            }
            for number in numbers
        ),
    )


def test_accounts_are_replaced_per_tenant(warehouse: Warehouse) -> None:
    with warehouse.open() as destination:
        destination.save_accounts(TENANT, _accounts(TENANT, "L1", "1000", "1020"), "L1")
        destination.save_accounts("other", _accounts("other", "L1", "2000"), "L1")
        destination.save_accounts(TENANT, _accounts(TENANT, "L2", "1100"), "L2")
        for tenant, load in (("wrong", "L1"), (TENANT, "wrong")):
            with pytest.raises(ValueError, match="another"):
                destination.save_accounts(tenant, _accounts(TENANT, "L1", "1000"), load)
    assert _accounts_of(warehouse) == [(TENANT, "1100", "L2"), ("other", "2000", "L1")]


def _accounts_of(warehouse: Warehouse) -> list[tuple[Any, ...]]:
    return sorted(warehouse.query("SELECT tenant, accno, load_id FROM accounts"))


def test_two_runs_on_the_same_window_leave_the_last_one(warehouse: Warehouse) -> None:
    with warehouse.open() as destination, warehouse.open() as other:
        with destination.stage(TENANT, AUGUST) as first, other.stage(TENANT, AUGUST) as second:
            first.write(batch(*TWO))
            second.write(batch(posting("6500", -7, load="L2")))
            second.commit(
                WindowTables(
                    balances=arrow_schemas.empty_table("balances"),
                    proofs=proofs(load="L2"),
                    load=load_row(1, load="L2"),
                )
            )
            first.commit(
                WindowTables(balances=arrow_schemas.empty_table("balances"), proofs=proofs(), load=load_row(2))
            )
        assert other.count_postings(TENANT, AUGUST) == 2
    assert [load for _, _, load in _loaded(warehouse)] == ["L1", "L1"]
    assert [row["load_id"] for row in warehouse.read("proofs")] == ["L1"]


def test_runs_at_the_same_moment_never_mix(warehouse: Warehouse) -> None:
    errors: list[BaseException] = []

    def run(load: str, size: int) -> None:
        try:
            with warehouse.open() as destination:
                for _ in range(4):
                    load_window(destination, [posting("1000", n, entry_id=n) for n in range(size)], load=load)
        except BaseException as error:  # noqa: BLE001 - a thread has nobody to raise to
            errors.append(error)

    threads = [threading.Thread(target=run, args=(f"L{size}", size)) for size in (0, 3, 70)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    (proof,) = warehouse.read("proofs")
    assert {row["load_id"] for row in warehouse.read("postings")} <= {proof["load_id"]}
    assert len(warehouse.read("postings")) == int(proof["load_id"][1:])


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([posting("1000", 1, tenant="other")], "another tenant"),
        ([posting("1000", 1, window=SEPTEMBER)], "another month"),
    ],
)
def test_rows_of_another_window_are_refused(warehouse: Warehouse, rows: list[Any], message: str) -> None:
    with (
        warehouse.open() as destination,
        destination.stage(TENANT, AUGUST) as stage,
        pytest.raises(ValueError, match=message),
    ):
        stage.write(batch(*rows))


def test_other_columns_are_refused(warehouse: Warehouse) -> None:
    good = batch(*TWO)
    with warehouse.open() as destination, destination.stage(TENANT, AUGUST) as stage:
        with pytest.raises(ValueError, match=r"missing \['load_id'\]"):
            stage.write(good.select(good.schema.names[:-1]))
        as_float = good.set_column(5, "amount", good.column("amount").cast(pa.float64()))
        with pytest.raises(ValueError, match="amount double"):
            stage.write(as_float)
        nulls = good.set_column(3, "accno", pa.nulls(2, pa.string()))
        with pytest.raises(ValueError, match=r"postings\.accno must not be null"):
            stage.write(nulls)


def test_a_decision_is_made_once_and_must_agree_with_itself(warehouse: Warehouse) -> None:
    none = arrow_schemas.empty_table("balances")
    with warehouse.open() as destination:
        with destination.stage(TENANT, AUGUST) as stage:
            stage.commit(WindowTables(balances=none, proofs=proofs(), load=load_row(0)))
            for again in (
                lambda: stage.commit(WindowTables(balances=none, proofs=proofs(), load=load_row(0))),
                lambda: stage.reject(WindowTables(proofs=proofs(loaded=False), load=load_row(0, loaded=False))),
                lambda: stage.write(batch(*TWO)),
            ):
                with pytest.raises(RuntimeError, match="decided"):
                    again()
        for wrong, message in (
            ({"proofs": proofs(loaded=False), "load": load_row(0)}, "loaded of the proofs"),
            ({"proofs": proofs(), "load": load_row(0, loaded=False)}, "loaded of the loads"),
            ({"proofs": proofs().slice(0, 0), "load": load_row(0)}, "window as a whole"),
            ({"proofs": proofs(), "load": load_row(0).slice(0, 0)}, "one row of loads"),
            ({"proofs": proofs(), "load": load_row(1)}, "claims 1 postings, 0 were staged"),
        ):
            with destination.stage(TENANT, AUGUST) as stage, pytest.raises(ValueError, match=message):
                stage.commit(WindowTables(balances=none, **wrong))
    assert len(warehouse.read("loads")) == 1
