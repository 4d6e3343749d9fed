"""Verifying a chain: any later change is found and named."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_provider_rma.billing.evidence.chain import verify_chain
from tests.support.evidence import FS, EvidenceFolder, facts, rows


def test_every_changed_byte_is_found(evidence: EvidenceFolder) -> None:
    path = Path(evidence.write(rows(1)).path)
    original = path.read_bytes()
    for place in range(len(original)):
        path.write_bytes(original[:place] + bytes([original[place] ^ 1]) + original[place + 1 :])
        assert evidence.defects(), f"byte {place} may be changed unseen"
    path.write_bytes(original)
    assert evidence.defects() == []


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace(b'"108.10"', b'"108.01"', 1),
        lambda text: text.replace(b'"sequence":3', b'"sequence": 3'),
        lambda text: text + b"\n",
        lambda text: text[:-1],
        lambda text: text[: len(text) // 2],
    ],
    ids=["amount", "blank", "appended", "cut", "half"],
)
def test_a_changed_file_is_named_and_nothing_else(five: EvidenceFolder, change: Callable[[bytes], bytes]) -> None:
    path = five.files()[2]
    path.write_bytes(change(path.read_bytes()))
    assert five.defects(recorded=True) == [("changed", path.name)]


def test_a_file_rewritten_with_a_hash_that_fits_is_found(five: EvidenceFolder) -> None:
    path = five.files()[2]
    text = path.read_bytes().replace(b'"108.10"', b'"108.01"', 1)[:-76]
    digest = hashlib.sha256(text + b"}").hexdigest()
    path.unlink()
    forged = path.with_name(f"{path.name[:15]}-{digest[:12]}.json")
    forged.write_bytes(text + f',"hash":"{digest}"}}\n'.encode())
    assert five.defects() == [("changed", forged.name)]
    assert ("missing", path.name) in five.defects(recorded=True)


@pytest.mark.parametrize("place", [0, 2, 3])
def test_a_removed_file_is_missing_by_name(five: EvidenceFolder, place: int) -> None:
    path = five.files()[place]
    path.unlink()
    assert five.defects() == [("missing", path.name)]
    assert five.defects(recorded=True) == [("missing", path.name)]


def test_several_removed_files_are_missing(five: EvidenceFolder) -> None:
    removed = five.files()[1:4]
    for path in removed:
        path.unlink()
    assert [kind for kind, _ in five.defects()] == ["missing"] * 3
    assert removed[-1].name in [name for _, name in five.defects()]
    assert five.defects(recorded=True).count(("missing", removed[0].name)) == 1


def test_removal_of_the_newest_is_found_with_the_journal_only(five: EvidenceFolder) -> None:
    path = five.files()[-1]
    path.unlink()
    assert five.defects() == []
    assert five.defects(recorded=True) == [("missing", path.name)]


def test_exchanged_files_are_out_of_order(five: EvidenceFolder) -> None:
    _, second, third, *_ = five.files()
    text = second.read_bytes()
    second.write_bytes(third.read_bytes())
    third.write_bytes(text)
    assert five.defects() == [("out_of_order", second.name), ("out_of_order", third.name)]


def test_a_renamed_or_copied_file_is_out_of_order(five: EvidenceFolder) -> None:
    path = five.files()[1]
    copy = path.with_name(path.name.replace("-000002-", "-000009-"))
    shutil.copy(path, copy)
    assert five.defects() == [("out_of_order", copy.name)]
    path.unlink()
    assert five.defects() == [("out_of_order", copy.name)]


def test_a_file_put_beside_the_chain_is_found(five: EvidenceFolder) -> None:
    (five.folder / "extra.json").write_text("{}")
    assert five.defects() == [("unreadable", "extra.json")]


def test_an_empty_file_is_unreadable(five: EvidenceFolder) -> None:
    path = five.files()[3]
    path.write_bytes(b"")
    assert five.defects() == [("unreadable", path.name)]


def test_a_second_file_for_one_place_is_a_fork(evidence: EvidenceFolder, tmp_path: Path) -> None:
    evidence.write()
    other = EvidenceFolder(tmp_path / "other")
    shutil.copytree(evidence.folder, other.folder)
    evidence.write(run="here")
    there = Path(other.write(run="there").path)
    shutil.copy(there, evidence.folder)
    assert [kind for kind, _ in evidence.defects()] == ["fork", "fork"]
    assert there.name in [name for _, name in evidence.defects()]


def test_evidence_of_another_tenant_does_not_belong_here(five: EvidenceFolder, tmp_path: Path) -> None:
    other = EvidenceFolder(tmp_path / "other")
    foreign = Path(other.writer(tenant="other").write(facts(), rows()).path)
    shutil.copy(foreign, five.folder)
    assert five.defects() == [("out_of_order", foreign.name)]


def test_chains_of_two_services_share_a_folder(five: EvidenceFolder) -> None:
    five.writer(service="https://sandbox.example").write(facts(), rows())
    assert five.defects(recorded=True) == []
    five.files()[1].unlink()
    assert len(five.defects()) == 1


def test_a_folder_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    assert verify_chain(FS, str(tmp_path / "nowhere")) == []
