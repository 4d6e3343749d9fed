"""Folders of evidence: an empty one, and one with five links."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.evidence import EvidenceFolder


@pytest.fixture
def evidence(tmp_path: Path) -> EvidenceFolder:
    return EvidenceFolder(tmp_path)


@pytest.fixture
def five(evidence: EvidenceFolder) -> EvidenceFolder:
    for number in range(5):
        evidence.write(run=f"run-{number}")
    assert evidence.defects(recorded=True) == []
    return evidence
