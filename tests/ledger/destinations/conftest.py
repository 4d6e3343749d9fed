from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.ledger.warehouses import WAREHOUSES, Warehouse, make_warehouse


@pytest.fixture(params=WAREHOUSES)
def warehouse(request: pytest.FixtureRequest, tmp_path: Path) -> Warehouse:
    """Every kind of warehouse."""
    return make_warehouse(request.param, tmp_path, request)


@pytest.fixture(params=[kind.name for kind in WAREHOUSES.values() if kind.has_tables])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Warehouse:
    """Every kind of warehouse with tables."""
    return make_warehouse(request.param, tmp_path, request)


@pytest.fixture
def with_views(warehouse: Warehouse) -> Warehouse:
    """Every kind of warehouse that has the views."""
    if not warehouse.has_views:
        pytest.skip("this database does not take all views")
    return warehouse
