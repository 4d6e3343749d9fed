"""The parts that operators have in common."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_rma.exceptions import ConfigurationError, ServerError
from airflow_provider_rma.operators.base import RecordList, airflow_errors, check_records, task_run, wrap_records


@pytest.mark.parametrize(("map_index", "name"), [(-1, "dag/run/task"), (0, "dag/run/task[0]")])
def test_a_task_run_is_named_over_all_its_tries(map_index: int, name: str) -> None:
    ti = SimpleNamespace(dag_id="dag", run_id="run", task_id="task", map_index=map_index, try_number=3)
    assert task_run(ti) == name


def test_an_error_that_a_retry_cannot_help_against_fails_the_task_for_good() -> None:
    with pytest.raises(AirflowFailException, match="tenant: is missing") as caught, airflow_errors(None):
        raise ConfigurationError("tenant: is missing")
    assert isinstance(caught.value.__cause__, ConfigurationError)


@pytest.mark.parametrize("error", [ServerError("out of order"), ValueError("not ours")])
def test_any_other_error_is_left_to_airflow(error: Exception) -> None:
    with pytest.raises(type(error)) as caught, airflow_errors(None):
        raise error
    assert caught.value is error


def test_records_are_shown_by_their_number_only() -> None:
    records = wrap_records("customers", [{"name": "Frau Beispiel"}, {}])
    assert (str(records), records.serialize(), len(records)) == ("<2 records>", "<2 records>", 2)
    assert list(wrap_records("customers", {"name": "Frau Beispiel"})) == [{"name": "Frau Beispiel"}]


def test_the_result_of_an_upstream_task_is_not_wrapped_before_it_is_there() -> None:
    upstream = RecordList([])
    assert wrap_records("customers", upstream) is upstream
    assert wrap_records("customers", None) is None


@pytest.mark.parametrize("given", ["K-1", b"K-1", bytearray(b"K-1"), memoryview(b"K-1"), 7, True, object(), iter([{}])])
def test_what_holds_no_records_is_refused_when_the_dag_is_parsed(given: object) -> None:
    with pytest.raises(ConfigurationError, match="customers must be records, got a .* Give a list of dictionaries"):
        wrap_records("customers", given)


@pytest.mark.parametrize("given", [[], [{}], ({},), {}, {"a": {}}.values(), [None, 7]])
def test_whatever_is_like_a_list_holds_records(given: object) -> None:
    check_records("customers", given)
