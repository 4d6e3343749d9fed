"""Progress in the log."""

from __future__ import annotations

import pytest

from airflow_provider_rma.billing.progress import Progress
from tests.support.billing_desk import Clock


def test_progress_is_logged_every_few_seconds_and_at_the_end(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock(0.0)
    progress = Progress(10, "invoices sent", every=5.0, clock=clock)
    with caplog.at_level("INFO"):
        for _ in range(10):
            clock.now += 2
            progress.step()
    assert caplog.messages == [f"{done} of 10 invoices sent." for done in (3, 6, 9, 10)]
