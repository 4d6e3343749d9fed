"""Tokens: which one opens the tenant, and where it may be in a request."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from tests.support.simulator import SimulatorProcess


@pytest.fixture(scope="module")
def legacy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatorProcess]:
    db = tmp_path_factory.mktemp("legacy") / "books.db"
    with SimulatorProcess(db, token="old_example", args=["--legacy-auth"]) as process:
        yield process


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Authorization": "Bearer pat_demo"}, 200),
        ({"Authorization": "bearer pat_demo"}, 200),
        ({}, 401),
        ({"Authorization": "pat_demo"}, 401),
        ({"Authorization": "Bearer "}, 401),
        ({"Authorization": "Basic cGF0X2RlbW8="}, 401),
        ({"Authorization": "Bearer pat_wrong"}, 403),
        ({"X-RMA-KEY": "pat_demo"}, 401),
    ],
)
def test_bearer_is_the_only_way_in(simulator: SimulatorProcess, headers: dict[str, str], status: int) -> None:
    answer = requests.get(f"{simulator.base}/departments", headers=headers, timeout=10)
    assert answer.status_code == status
    assert (status == 200) is ("<error>" not in answer.text)


def test_a_current_key_is_never_accepted_in_the_address(simulator: SimulatorProcess) -> None:
    assert requests.get(f"{simulator.base}/departments?api_key=pat_demo", timeout=10).status_code == 401


@pytest.mark.parametrize(
    ("headers", "query", "status"),
    [
        ({"X-RMA-KEY": "old_example"}, "", 200),
        ({}, "?api_key=old_example", 200),
        ({"X-RMA-KEY": "wrong"}, "", 403),
        ({}, "?api_key=wrong", 403),
        ({"Authorization": "Bearer old_example"}, "", 403),
        ({}, "", 401),
    ],
)
def test_old_keys_open_by_header_and_address(
    legacy: SimulatorProcess, headers: dict[str, str], query: str, status: int
) -> None:
    assert requests.get(f"{legacy.base}/departments{query}", headers=headers, timeout=10).status_code == status


def test_current_key_with_legacy_switch_opens_by_header_but_not_by_address(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with SimulatorProcess(tmp_path_factory.mktemp("both") / "books.db", args=["--legacy-auth"]) as both:
        address = f"{both.base}/departments"
        assert requests.get(address, headers={"X-RMA-KEY": "pat_demo"}, timeout=10).status_code == 200
        assert requests.get(f"{address}?api_key=pat_demo", timeout=10).status_code == 403
        assert requests.get(address, headers={"Authorization": "Bearer pat_demo"}, timeout=10).status_code == 200
