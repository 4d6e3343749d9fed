"""Upload of receipts over HTTP."""

from __future__ import annotations

import zlib
from typing import Any

import pytest
import requests

from tests.support.simulator import SimulatorProcess, xml_root

PDF = b"%PDF-1.4\r\n\r\n--x\r\r\n\x00\xff\n%%EOF"
LIMIT = 25 * 1024 * 1024


def upload(
    simulator: SimulatorProcess, content: bytes, media_type: str = "application/pdf", *, name: str = "a.pdf",
    field: str = "Filedata", form: str = "json", token: str = "", **fields: str,
) -> requests.Response:  # fmt: skip
    return requests.post(
        f"{simulator.base}/belege",
        files={field: (name, content, media_type)},
        data=fields,
        headers={"Authorization": f"Bearer {token or simulator.token}", "Accept": f"application/{form}"},
        timeout=60,
    )


def uploads(simulator: SimulatorProcess) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = simulator.control("GET", "/uploads")["uploads"]
    return found


@pytest.mark.parametrize("form", ["json", "xml"])
def test_a_file_is_kept_as_it_is_and_stated(simulator: SimulatorProcess, form: str) -> None:
    content = PDF + form.encode()
    answer = upload(simulator, content, name="Beleg März.pdf", form=form, comment="Büro")
    assert answer.status_code == 200, answer.text
    stated = {child.tag: child.text for child in xml_root(answer.content)} if form == "xml" else answer.json()
    assert (stated["comment"], stated["checksum"]) == ("Büro", str(zlib.crc32(content)))
    kept = uploads(simulator)[-1]
    assert (str(kept["id"]), kept["size"], kept["media_type"]) == (stated["id"], len(content), "application/pdf")
    assert kept["file_name"] == stated["file_name"]
    assert stated["date_received"]


def test_the_same_content_is_there_already_whatever_its_name(simulator: SimulatorProcess) -> None:
    content = PDF + b"again"
    assert upload(simulator, content).status_code == 200
    before = len(uploads(simulator))
    answer = upload(simulator, content, name="b.pdf", comment="anders")
    assert answer.status_code == 409
    assert answer.json()["error"]
    assert len(uploads(simulator)) == before


@pytest.mark.parametrize("media_type", ["image/png", "image/jpg", "image/jpeg", "image/gif"])
def test_images_are_allowed(simulator: SimulatorProcess, media_type: str) -> None:
    assert upload(simulator, media_type.encode(), media_type).status_code == 200


def test_what_is_not_allowed(simulator: SimulatorProcess) -> None:
    before = len(uploads(simulator))
    assert upload(simulator, PDF + b"1", "text/plain").status_code == 415
    assert upload(simulator, bytes(LIMIT + 1)).status_code == 413
    assert upload(simulator, b"").status_code == 400
    assert upload(simulator, PDF + b"2", field="file").status_code == 400
    assert upload(simulator, PDF + b"3", token="pat_wrong").status_code == 403
    assert simulator.post("/belege", {"Filedata": "x"}).status_code == 415
    broken = simulator.post("/belege", b"--x", form="multipart/form-data; boundary=y", accept="json")
    assert broken.status_code == 400
    assert len(uploads(simulator)) == before


def test_a_reply_to_an_upload_can_be_lost(simulator: SimulatorProcess) -> None:
    content = PDF + b"lost"
    simulator.control("POST", "/chaos", {"class": "upload_receipt", "fault": "lost", "after_commit": True, "count": 1})
    with pytest.raises(requests.ConnectionError):
        upload(simulator, content)
    simulator.control("DELETE", "/chaos")
    assert upload(simulator, content).status_code == 409
