"""The table of endpoints is made from the declarations, is current, and misses nothing."""

from __future__ import annotations

import importlib
import re

from airflow_provider_rma.client.endpoints import ENDPOINTS
from airflow_provider_rma.simulator.http.routing import OPERATIONS
from scripts.endpoints_page import (
    OPERATORS,
    PAGE,
    describe_path,
    find_methods,
    find_operation,
    list_methods,
    render_page,
)
from tests.support.reference import ROOT

PACKAGE = ROOT / "airflow_provider_rma"


def test_the_page_is_what_the_declarations_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == render_page(), "run scripts/endpoints_page.py"


def test_the_client_calls_every_endpoint() -> None:
    assert [endpoint.name for endpoint in ENDPOINTS if not find_methods(endpoint)] == []


def test_every_method_of_the_client_that_sends_something_is_in_the_table() -> None:
    silent = {name for name, used in list_methods() if not used}
    assert silent == {"close"}
    page = PAGE.read_text(encoding="utf-8")
    assert [name for name, _ in list_methods() if name not in silent and f"`{name}`" not in page] == []


def test_the_simulator_serves_every_endpoint_and_nothing_else() -> None:
    assert [endpoint.name for endpoint in ENDPOINTS if find_operation(endpoint) is None] == []
    declared = {(endpoint.method, describe_path(endpoint.path)) for endpoint in ENDPOINTS}
    assert {(each.method, describe_path(each.template)) for each in OPERATIONS} == declared


def test_forms_and_documents_are_declared_alike_by_client_and_simulator() -> None:
    for endpoint in ENDPOINTS:
        operation = find_operation(endpoint)
        assert operation is not None
        assert (operation.form, operation.media_type) == (endpoint.form, endpoint.media_type)
        assert operation.body_root == endpoint.request_root


def test_the_operators_exist_and_none_that_sends_is_missing() -> None:
    found = set()
    for name in ("billing", "cancellation", "ledger"):
        module = importlib.import_module(f"airflow_provider_rma.operators.{name}")
        for class_name in vars(module):
            match = re.fullmatch("RunMyAccounts([A-Z][A-Za-z]+)Operator", class_name)
            if match:
                found.add(match[1])
    assert set(OPERATORS) == found


def test_what_the_operators_use_is_what_billing_and_ledger_call() -> None:
    methods = {name: used for name, used in list_methods() if used}
    called: set[str] = set()
    for folder in ("billing", "ledger"):
        for path in (PACKAGE / folder).rglob("*.py"):
            for method in re.findall(r"client\.([a-z_0-9]+)", path.read_text(encoding="utf-8")):
                called |= methods.get(method, set())
    used = {endpoint.name for each in OPERATORS.values() for endpoint in each}
    module = importlib.import_module("airflow_provider_rma.client.endpoints")
    assert used == {getattr(module, name).name for name in called}
