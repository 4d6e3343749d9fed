"""Evidence can be checked without this package, as the documentation says."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.evidence import EvidenceFolder
from tests.support.reference import ROOT


@pytest.fixture
def evidence(tmp_path: Path) -> EvidenceFolder:
    return EvidenceFolder(tmp_path)


@pytest.fixture
def five(evidence: EvidenceFolder) -> EvidenceFolder:
    for number in range(5):
        evidence.write(run=f"run-{number}")
    assert evidence.defects(recorded=True) == []
    return evidence


def snippets(language: str) -> list[str]:
    text = (ROOT / "docs" / "evidence.md").read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def awkward() -> list[dict[str, Any]]:
    """Numbers that JSON writers might write differently."""
    numbers = ['R-"1"\\', "Rüti/2026 ½", "a\u2028b\u007fc\u0085\n", "🧾", "\ud800", "x" * 200]
    return [
        {"position": place, "number": number, "outcome": "created", "net": "1.00", "gross": "1.08"}
        for place, number in enumerate(numbers, start=1)
    ]


def check_in_shell(script: str, path: str) -> str:
    done = subprocess.run(["sh", "-c", script], env={"FILE": path, "PATH": "/usr/bin:/bin"}, capture_output=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode()


def test_the_documented_shell_commands_find_the_hash(evidence: EvidenceFolder) -> None:
    ref = evidence.write(awkward())
    lines = check_in_shell(snippets("sh")[0], ref.path).split()
    assert lines == ["stated", ref.hash, "computed", ref.hash]


@pytest.mark.skipif(not shutil.which("jq"), reason="jq is not installed")
def test_the_documented_jq_command_finds_the_hash(evidence: EvidenceFolder) -> None:
    ref = evidence.write(awkward())
    assert check_in_shell(snippets("sh")[1], ref.path).split()[0] == ref.hash


def run_documented_program(folder: Path) -> tuple[int, str]:
    done = subprocess.run([sys.executable, "-c", snippets("python")[0], str(folder)], capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def test_the_documented_program_agrees(five: EvidenceFolder) -> None:
    five.write(awkward())
    code, output = run_documented_program(five.folder)
    assert (code, output) == (0, f"demo: 6 links, newest {json.loads(five.files()[-1].read_bytes())['hash']}\n")
    victim = five.files()[2]
    text = victim.read_bytes()
    victim.write_bytes(text.replace(b"108.10", b"108.01", 1))
    assert run_documented_program(five.folder) == (1, f"{victim.name}: changed\n")
    victim.unlink()
    assert run_documented_program(five.folder) == (1, f"{five.files()[2].name}: does not follow link 2\n")
