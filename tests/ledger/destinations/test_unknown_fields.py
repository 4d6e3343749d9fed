from __future__ import annotations

import logging

import pytest

from tests.support.ledger.warehouses import Warehouse
from tests.support.ledger.window_fixtures import AUGUST, TENANT, batch, load_window, posting


def test_unknown_fields_are_kept_and_reported_once(warehouse: Warehouse, caplog: pytest.LogCaptureFixture) -> None:
    texts = ['{"neu": 1}', '{"neu": 2, "chart": {"farbe": "rot"}}', None, '{"neu": 3}']
    rows = [posting("1000", number, entry_id=number, extra=text) for number, text in enumerate(texts)]
    with caplog.at_level(logging.WARNING), warehouse.open() as destination:
        load_window(destination, rows)
        load_window(destination, rows, load="L2")
        assert destination.unknown.names == {"neu", "chart.farbe"}
    told = [record.getMessage() for record in caplog.records if "does not know" in record.getMessage()]
    assert len(told) == 1
    assert told[0].endswith("chart.farbe, neu.")
    assert [row["extra"] for row in warehouse.read("postings")] == texts


def test_a_field_that_appears_later_is_reported_then(warehouse: Warehouse, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    with warehouse.open() as destination, destination.stage(TENANT, AUGUST) as stage:
        for name in ("eins", "zwei", "eins"):
            stage.write(batch(posting("1000", 1, extra=f'{{"{name}": {{}}}}')))
    told = [record.getMessage() for record in caplog.records if "does not know" in record.getMessage()]
    assert [text.rpartition(": ")[2] for text in told] == ["eins.", "zwei."]
