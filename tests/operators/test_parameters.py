"""Every parameter of every operator is checked when the DAG is parsed, by one table."""

from __future__ import annotations

import inspect
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG, ObjectStoragePath, task
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_rma.billing.kinds.customer import NOT_MANAGED
from airflow_provider_rma.exceptions import ConfigurationError
from airflow_provider_rma.operators.approval import RunMyAccountsApprovePlanOperator
from airflow_provider_rma.operators.billing import (
    RunMyAccountsCreateCustomersOperator,
    RunMyAccountsCreateInvoicesOperator,
    RunMyAccountsPlanInvoicesOperator,
)
from airflow_provider_rma.operators.cancellation import RunMyAccountsCancelInvoicesOperator
from airflow_provider_rma.operators.ledger import (
    RunMyAccountsEstimateLedgerOperator,
    RunMyAccountsExtractLedgerOperator,
)
from airflow_provider_rma.operators.parameters import (
    MANAGEABLE_FIELDS,
    PARAMETERS,
    check_parameter,
    check_rendered,
    is_unrendered,
)
from airflow_provider_rma.schemas.customer import CustomerSchema
from airflow_provider_rma.transfers.sql_to_rma import (
    SqlToRunMyAccountsCustomersOperator,
    SqlToRunMyAccountsInvoicesOperator,
)

HASH = "0a" * 32
QUERY = {"sql": "SELECT 1", "sql_conn_id": "erp"}

#: Every operator with what it needs.
OPERATORS: dict[Any, dict[str, Any]] = {
    RunMyAccountsCreateCustomersOperator: {"customers": []},
    RunMyAccountsPlanInvoicesOperator: {"invoices": []},
    RunMyAccountsCreateInvoicesOperator: {"invoices": []},
    RunMyAccountsApprovePlanOperator: {"plan": "/x", "plan_hash": HASH},
    RunMyAccountsCancelInvoicesOperator: {"numbers": ["R-1"]},
    RunMyAccountsExtractLedgerOperator: {"destination": "duckdb:////data/ledger.duckdb"},
    RunMyAccountsEstimateLedgerOperator: {},
    SqlToRunMyAccountsCustomersOperator: QUERY,
    SqlToRunMyAccountsInvoicesOperator: QUERY,
}

FROM_SQL = (SqlToRunMyAccountsCustomersOperator, SqlToRunMyAccountsInvoicesOperator)
FORBIDDEN_BESIDE_SQL = {"source", "source_conn_id", "encoding", "plan", "plan_hash"}

#: Parameters that hold records, which are judged one by one when they are read.
RECORDS = {"invoices", "customers"}


def own_parameters(operator: Any) -> set[str]:
    """Parameters of an operator that are ours, of all its classes."""
    found = set()
    for cls in operator.__mro__:
        if cls.__module__.startswith("airflow_provider_rma.") and "__init__" in vars(cls):
            found |= set(inspect.signature(cls.__init__).parameters)
    return found - {"self", "kwargs"} - RECORDS


def make(operator: Any, **given: Any) -> Any:
    return operator(task_id="task", **OPERATORS[operator] | given)


CASES = [(operator, name) for operator in OPERATORS for name in sorted(own_parameters(operator))]


class Hostile:
    """An object that raises whenever it is looked at."""

    def __eq__(self, other: object) -> bool:
        raise RuntimeError

    def __hash__(self) -> int:
        raise RuntimeError

    def __iter__(self) -> Any:
        raise RuntimeError

    def __repr__(self) -> str:
        raise RuntimeError


#: Wrong for every parameter but those of RIGHT_OF.
WRONG = [
    b"x", 1.5j, object(), Hostile(), [object()], {"a": object()}, float("nan"), float("-inf"), -600, True, "\x00",
    "a\nb",
]  # fmt: skip

SWITCHES = ["check_master_data", "write_recovery_tag", "send_customers", "skip_unchanged", "history"]
AMOUNTS = ["max_amount", "tolerance"]
COUNTS = ["max_count", "max_chain_months", "min_count", "reread_days"]
DAYS = ["from_date", "to_date"]
IDS = ["rma_conn_id", "sql_conn_id"]
OPTIONAL = ["source", "source_conn_id", "customer_outcomes", "destination_conn_id"]


def each(names: list[str], *values: Any) -> dict[str, list[Any]]:
    return {name: list(values) for name in names}


WRONG_OF: dict[str, list[Any]] = {
    **each(SWITCHES, "True", 1, 0, None, ""),
    **each(AMOUNTS, "NaN", "-1", "1e6", "1'000.00", "", " 1", Decimal("-1"), Decimal("Infinity"), None),
    **each(COUNTS, 1.0, "2000", None, Decimal(1), -1, []),
    **each(DAYS, "2026-02-30", "1899-01-01", "2026-01-01T12:00", 20260101, "yesterday"),
    **each(IDS, "", None, " x", "None"),
    **each(OPTIONAL, "", " x", "None", 1, []),
    "settle_time": ["300", float("inf"), -0.1, Decimal("NaN"), None, [], 1e300, 10**400],
    "absence_check": ["lookup", "", None, "FULL_LIST", ["full_list"]],
    "content_type": ["JSON", "text/xml", "", 1, ["json"]],
    "on_unproven": ["ignore", "", None],
    "fail_on": ["crashed", ["created", "crashed"], {"invalid": 1}, [None], 1, "create"],
    "allow_currency": ["euro", "EU", ["EUR", "XYZ"], "eur", None, {"EUR": 1}, [None], "CHF,EUR"],
    "input_timezone": ["Zurich", "Europe", "", "UTC+25", 1, "../etc/passwd", "/etc/passwd", []],
    "number_format": ["1.234.50", "", 1, []],
    "date_format": ["YY", "", 1, [], "DD.MM.YY"],
    "encoding": ["ansi-1252", "", 1252],
    "date_range": [
        "2026", [], ["2026-01-01"], ["2027-01-01", "2026-01-01"], ["1899-01-01", "2026-01-01"], 2026, [1, 2],
        ["2026-01-01", "3000-01-01"], ["2026-02-30", "2026-03-01"],
    ],
    "plan_hash": ["", "None", "abc", HASH.upper(), HASH + "0", 7],
    "plan": ["", "None", " x"],
    "managed_fields": ["colour", ["email", "id"], None, [1], {"email": 1}],
    "numbers": [None, "", [], [""], [None], [True], {"R-1": 1}, 1.5, [["a", "b"]], b"R-1"],
    "suffix": ["", " -S", None, "x" * 64, 1],
    "transdate": ["2026-13-01", "31.10.2026", datetime(2026, 1, 1), 1, "None"],
    "account_kinds": [{"79xx": "asset"}, {"*": "closing"}, [], "closing"],
    "resume_since": ["yesterday", 1, "1800-01-01"],
    "stop_at": ["25:00", "late", 6],
    "destination": ["", None, "None"],
    "sql": ["", " ", None, 1],
    "parameters": ["x", 1],
    "output_path": [" ", "None", 1],
    "approver": [7, ["A"]],
    **each(["reason", "subject", "body"], 7, ["A"]),
}  # fmt: skip

#: How values of WRONG begin that are right for a parameter.
RIGHT_OF: dict[str, list[Any]] = {
    **each(SWITCHES, "True"),
    **each(["approver", "reason", "sql", "subject", "body"], "'"),
    "parameters": ["{'a':", "[<obj"],
}


def is_right(name: str, value: Any) -> bool:
    return not isinstance(value, Hostile) and any(repr(value).startswith(text) for text in RIGHT_OF.get(name, ()))


def test_the_table_knows_every_parameter_of_every_operator_and_no_other() -> None:
    assert {name for _, name in CASES} == set(PARAMETERS)
    assert set(WRONG_OF) == set(PARAMETERS)


def test_the_fields_that_may_be_managed_are_those_of_the_schema() -> None:
    assert set(CustomerSchema().fields) - NOT_MANAGED == MANAGEABLE_FIELDS


@pytest.mark.parametrize(("operator", "name"), CASES)
def test_a_wrong_value_is_refused_when_the_dag_is_parsed(operator: Any, name: str) -> None:
    for value in [*WRONG_OF[name], *WRONG]:
        if value is None and name in FORBIDDEN_BESIDE_SQL:
            continue
        if is_right(name, value) or (value is None and name in getattr(operator, "optional_parameters", ())):
            continue
        if name in FORBIDDEN_BESIDE_SQL and operator in FROM_SQL:
            problem = f"{name}: given together with sql"
        else:
            problem = f"{name} must be "
        with pytest.raises(ConfigurationError, match=f"^{problem}") as caught:
            make(operator, **{name: value})
        assert caught.value.advice
        assert len(str(caught.value)) < 900


@pytest.mark.parametrize(("operator", "name"), CASES)
def test_a_wrong_value_of_a_mapped_task_is_refused_when_the_dag_is_parsed(operator: Any, name: str) -> None:
    value = next(value for value in WRONG_OF[name] if value is not None)
    with pytest.raises(ConfigurationError, match=f"^{name} must be "):
        operator.partial(task_id="task", **{name: value})


def test_a_mapped_task_may_take_templates_and_results_of_other_tasks() -> None:
    with DAG("mapped", schedule=None):

        @task
        def files() -> list[str]:
            return ["a.csv"]

        partial = RunMyAccountsCreateInvoicesOperator.partial(task_id="bill", output_path="{{ params.path }}")
        mapped = partial.expand(source=files())
    assert mapped.task_id == "bill"


@pytest.mark.parametrize("name", PARAMETERS)
@given(value=st.one_of(st.integers(), st.floats(), st.text(max_size=5), st.binary(max_size=3), st.none(), st.booleans(),
                       st.lists(st.none(), max_size=2), st.decimals(), st.dates(), st.datetimes()))  # fmt: skip
def test_any_value_is_accepted_or_refused_by_name(name: str, value: Any) -> None:
    problem = f"{name} must be "
    try:
        check_parameter(name, value)
    except ConfigurationError as error:
        problem = str(error)
    assert problem.startswith(f"{name} must be ")


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("settle_time", [0, 300, 0.5]),
        ("max_amount", [0, 10**9, "25000.00", Decimal("1.5"), 2.5]),
        ("tolerance", ["0.01", Decimal(0), 1]),
        ("max_count", [0, 2_000]),
        ("fail_on", [None, [], "invalid", ["invalid", "conflict"], {"rejected"}, ("unknown",)]),
        ("allow_currency", [(), "EUR", ["EUR", "USD"], {"JPY"}]),
        ("input_timezone", [None, "Europe/Zurich", "UTC"]),
        ("date_range", [None, ("2026-01-01", "2026-12-31"), [date(1900, 1, 1), date(2999, 12, 31)]]),
        ("source", [None, "s3://aws@bucket/x.csv", Path("/data/x.csv"), ObjectStoragePath("file:///x.csv")]),
        ("managed_fields", [(), "email", ["email", "phone"]]),
        ("numbers", ["R-1", 260001, ["R-1", 7], [["R-1"], ("R-2",)]]),
        ("transdate", [None, "", "2026-01-31", date(2026, 1, 31)]),
        ("account_kinds", [None, {"79xx": "balance_sheet"}]),
        ("from_date", [None, "", "None", "2026-01-31", date(2026, 1, 31), datetime(2026, 1, 31)]),
        ("stop_at", [None, "", "06:00", "2026-08-31T06:00", datetime(2026, 1, 31)]),
        ("parameters", [None, {}, {"day": date(2026, 1, 1)}, ["x"], (1,)]),
        ("plan_hash", [None, HASH]),
        ("output_path", [None, "", "/data"]),
    ],
)
def test_right_values_are_accepted(name: str, values: list[Any]) -> None:
    for value in values:
        check_parameter(name, value)


TEMPLATED = [
    (operator, name)
    for operator, name in CASES
    if name in operator.template_fields and not (operator in FROM_SQL and name in (FORBIDDEN_BESIDE_SQL | {"approver"}))
]


@pytest.mark.parametrize(("operator", "name"), TEMPLATED)
def test_a_template_is_checked_once_it_is_rendered(operator: Any, name: str) -> None:
    needed = {"plan": "/x", "plan_hash": HASH} if name in ("plan", "plan_hash", "approver") else {}
    given = OPERATORS[operator] | needed | {name: "{{ params.value }}"}
    if "plan" in given or name == "source":
        given = {other: value for other, value in given.items() if other not in RECORDS}
    made = operator(task_id="task", **given)
    value = next(value for value in WRONG_OF[name] if not is_right(name, value))
    setattr(made, name, value)
    with pytest.raises(ConfigurationError, match=f"^{name} must be "):
        check_rendered(made)


def test_what_is_no_template_field_is_never_rendered_and_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="settle_time must be"):
        make(RunMyAccountsCreateInvoicesOperator, settle_time="{{ params.seconds }}")


def test_results_of_other_tasks_are_still_to_be_rendered() -> None:
    with DAG("upstream", schedule=None):

        @task
        def numbers() -> list[str]:
            return ["R-1"]

        result = numbers()
        assert is_unrendered(result)
        assert is_unrendered(["R-1", result])
        assert is_unrendered({"day": "{{ ds }}"})
        RunMyAccountsCancelInvoicesOperator(task_id="cancel", numbers=result)
    assert not is_unrendered(["R-1"])
    assert not is_unrendered(Path("/data"))


@pytest.mark.parametrize(
    ("operator", "given", "problem"),
    [
        (RunMyAccountsCreateInvoicesOperator, {}, "invoices, source and plan: none given"),
        (RunMyAccountsPlanInvoicesOperator, {}, "invoices and source: none given"),
        (RunMyAccountsCreateCustomersOperator, {}, "customers and source: none given"),
        (RunMyAccountsCreateInvoicesOperator, {"invoices": [], "source": "x"}, "invoices and source given together"),
        (RunMyAccountsCreateInvoicesOperator, {"invoices": [], "plan": "x"}, "invoices and plan given together"),
        (RunMyAccountsCreateInvoicesOperator, {"source": "{{ x }}", "plan": "x"}, "source and plan given together"),
        (RunMyAccountsCreateCustomersOperator, {"customers": [], "source": "x"}, "customers and source given together"),
        (RunMyAccountsCreateInvoicesOperator, {"invoices": [], "plan_hash": HASH}, "plan_hash: given without plan"),
        (
            RunMyAccountsExtractLedgerOperator,
            {"destination": "/data", "from_date": "2026-02-01", "to_date": date(2026, 1, 31)},
            "from_date 2026-02-01 lies after to_date 2026-01-31",
        ),
        (
            RunMyAccountsEstimateLedgerOperator,
            {"from_date": "2026-02", "to_date": ""},
            "from_date must be a calendar day",
        ),
        (RunMyAccountsCreateInvoicesOperator, {"plan": "x", "approver": "A"}, "approver: given without plan_hash"),
        (RunMyAccountsCreateInvoicesOperator, {"invoices": [], "approver": "A"}, "approver: given without plan_hash"),
    ],
)
def test_parameters_that_do_not_fit_each_other_are_refused_when_the_dag_is_parsed(
    operator: Any, given: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ConfigurationError, match=problem) as caught:
        operator(task_id="task", **given)
    assert caught.value.advice


@pytest.mark.parametrize("name", ["source", "plan", "output_path", "customer_outcomes"])
@pytest.mark.parametrize(
    "address",
    [
        "s3://key:geheim@bucket/a.csv",
        "https://files.example/a.csv?X-Amz-Signature=geheim",
        "https://files.example/{{ ds }}.csv?sig=geheim",
        "abfs://box/a.csv#sas=geheim",
        "sftp://ada%3Ageheim@files.example/a.csv",
    ],
)
def test_an_address_of_a_file_with_credentials_is_refused_when_the_dag_is_parsed(name: str, address: str) -> None:
    given = {name: address} if name in ("source", "plan") else {name: address, "invoices": []}
    with pytest.raises(ConfigurationError, match=f"The address of the {name} holds credentials") as caught:
        RunMyAccountsCreateInvoicesOperator(task_id="bill", **given)
    assert "geheim" not in str(caught.value)
    with pytest.raises(ConfigurationError, match=f"The address of the {name} holds credentials"):
        RunMyAccountsCreateInvoicesOperator.partial(task_id="bill", **{name: address})


def test_an_address_with_credentials_is_refused_when_it_is_rendered() -> None:
    operator = RunMyAccountsCreateInvoicesOperator(task_id="bill", source="{{ params.source }}")
    operator.source = "https://files.example/a.csv?token=geheim"
    with pytest.raises(ConfigurationError, match="holds credentials: the option token"):
        check_rendered(operator)


@pytest.mark.parametrize(
    "source", ["s3://aws_default@erp/2026-10.ndjson", "/srv/erp/a?token=1.csv", "file:///srv/a.csv"]
)
def test_an_address_of_a_file_without_credentials_is_taken(source: str) -> None:
    assert RunMyAccountsCreateInvoicesOperator(task_id="bill", source=source).source == source
