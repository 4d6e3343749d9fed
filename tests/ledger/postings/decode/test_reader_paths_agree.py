"""Whatever the service sends: the fast way gives the rows of the strict way, or its message."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_rma.ledger.postings.decode import json_path, xml_path, xml_recogniser
from airflow_provider_rma.ledger.postings.decode.fields import leaves
from tests.support.ledger.responses import MEMBERS, json_posting, read_both_paths, xml_document, xml_posting
from tests.support.ledger.strategies import damaged, json_documents, xml_postings

JSON = "application/json"
PLAIN = xml_document(xml_posting(), xml_posting(amount="<amount>50.0</amount>"), xml_posting(notes="", department=""))
PLAIN_JSON = json.dumps({"@number_of_transaction": "2", "transaction": [json_posting(), json_posting(id="7")]}).encode()


def test_what_is_inside_a_member_is_an_attribute_or_opaque() -> None:
    inner = [leaf for leaf in leaves() if leaf.part]
    assert {leaf.member for leaf in inner} == {"chart", "department"}
    assert all(leaf.field.metadata["attribute"] for leaf in inner), "the fast way reads no elements inside of members"
    assert {leaf.member for leaf in leaves()} == set(MEMBERS)


@pytest.fixture(params=["whole", "in pieces"])
def pieces(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Documents are looked at as a whole, and in pieces of little more than one posting."""
    if request.param == "in pieces":
        monkeypatch.setattr(xml_recogniser, "CHUNK", 1100)
        monkeypatch.setattr(xml_path, "BATCH_ROWS", 2)
        monkeypatch.setattr(json_path, "PIECE", 900)


@settings(deadline=None)
@given(st.lists(xml_postings(), max_size=4), st.integers(0, 12))
def test_xml_postings_of_every_kind(postings: list[str], announced: int) -> None:
    read_both_paths(xml_document(*postings, count=len(postings) if announced > 4 else announced))


@settings(deadline=None)
@given(json_documents())
def test_json_postings_of_every_kind(body: bytes) -> None:
    read_both_paths(body, JSON)


@settings(deadline=None)
@given(damaged(PLAIN))
def test_damaged_xml(body: bytes) -> None:
    read_both_paths(body)


@settings(deadline=None)
@given(damaged(PLAIN_JSON))
def test_damaged_json(body: bytes) -> None:
    read_both_paths(body, JSON)


@settings(deadline=None)
@given(st.binary(max_size=60), st.sampled_from(["application/xml", JSON]))
def test_anything_at_all(body: bytes, media_type: str) -> None:
    read_both_paths(body, media_type)


@pytest.mark.usefixtures("pieces")
@pytest.mark.parametrize("between", ["", "\n", "\r\n    "])
def test_an_ordinary_document_is_read_the_fast_way_to_its_end(between: str) -> None:
    inside = between.join(["", *MEMBERS.values(), ""])
    lines = [
        xml_posting(),
        f"<transaction>{inside}</transaction>{between}",
        xml_posting(department="", notes=""),
        xml_posting(),
    ]
    outcome = read_both_paths(xml_document(*lines))
    assert outcome.refusal == ""
    assert outcome.rows is not None
    assert len(outcome.rows) == outcome.announced == 4
    assert outcome.rows[0]["memo"] == "Zeile & Text <1>"


def test_the_order_of_members_is_that_of_the_first_postings() -> None:
    turned = "".join(reversed(MEMBERS.values()))
    bare = turned.replace(MEMBERS["department"], "").replace(MEMBERS["id"], "<id>1</id>")
    outcome = read_both_paths(
        xml_document(f"<transaction>{bare}</transaction>", f"<transaction>{turned}</transaction>")
    )
    assert outcome.refusal == ""
    assert outcome.error is None


@pytest.mark.usefixtures("pieces")
def test_an_ordinary_document_in_json_is_read_the_fast_way_to_its_end() -> None:
    lines = [json_posting(), json_posting(memo="a:b"), json_posting(department="", chart={"@accno": "1000"})]
    bare = [json_posting(chart={"accno": "1000", "taxes": None}, department=None)]
    for postings in (lines * 3, bare):
        for indent in (None, 2):
            whole = {"@number_of_transaction": str(len(postings)), "transaction": postings}
            outcome = read_both_paths(json.dumps(whole, indent=indent, ensure_ascii=False).encode(), JSON)
            assert outcome.refusal == ""
            assert outcome.rows is not None
            assert len(outcome.rows) == outcome.announced == len(postings)


@pytest.mark.parametrize(
    ("text", "amount"),
    [("1.0E7", "10000000"), ("-106.92", "-106.92"), ("-0.0", "0"), ("33.019999999999996", "33.02"), (" +5. ", "5"),
     ("0.000000005", "0"), ("9999999999999999.99999999", "9999999999999999.99999999")],
)  # fmt: skip
def test_amounts_are_exact_the_fast_way_too(text: str, amount: str) -> None:
    outcome = read_both_paths(
        xml_document(xml_posting(), xml_posting(amount=f"<amount>{text}</amount>"), xml_posting())
    )
    assert outcome.refusal == ""
    assert outcome.rows is not None
    assert [row["amount"] for row in outcome.rows] == [Decimal("-50"), Decimal(amount), Decimal("-50")]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"amount": "<amount>1,5</amount>"}, "transaction: amount: cannot be read as an amount"),
        ({"amount": ""}, "posting 2 of 2026-03 has no amount"),
        ({"transdate": "<transdate>2026-02-30</transdate>"}, "cannot be read as a date"),
        ({"transdate": "<transdate>2026-04-01T00:00:00+02:00</transdate>"}, "posting 2 of 2026-03 is dated 2026-04-01"),
        ({"entry_id": ""}, "entry_id is missing"),
        ({"accno": "<accno>1020</accno>"}, "names two accounts"),
        ({"chart": '<chart id="x" accno="1000"/>'}, "chart.@id: cannot be read as a whole number"),
        ({"chart": '<chart accno="1000" allow_gl="vielleicht"/>'}, "chart.@allow_gl: cannot be read as true or false"),
    ],
)
def test_what_cannot_be_read_is_told_by_the_schema(changes: dict[str, str], told: str) -> None:
    outcome = read_both_paths(xml_document(xml_posting(), xml_posting(**changes), xml_posting()))
    assert outcome.error is not None
    assert told in outcome.error[1]


@pytest.mark.usefixtures("pieces")
@pytest.mark.parametrize("place", [0, 3, 6])
def test_unknown_elements_are_kept_and_reported(place: int) -> None:
    lines = [xml_posting() for _ in range(7)]
    lines[place] = xml_posting(notes="<colour>blau</colour>", chart='<chart accno="1000" gifi="7"/>')
    outcome = read_both_paths(xml_document(*lines))
    assert outcome.refusal
    assert outcome.rows is not None
    assert json.loads(outcome.rows[place]["extra"]) == {"colour": "blau", "chart": {"@gifi": "7"}}
    assert outcome.unknown == {"colour", "chart.@gifi"}
    assert len(outcome.rows) == 7


def test_an_unknown_member_in_json_does_not_need_the_whole_body() -> None:
    lines = [json_posting(colour="blau"), json_posting()]
    outcome = read_both_paths(json.dumps({"transaction": lines}).encode(), JSON)
    assert outcome.refusal == ""
    assert outcome.rows is not None
    assert json.loads(outcome.rows[0]["extra"]) == {"colour": "blau"}


@pytest.mark.parametrize("attribute", ["accno", "link", "allow_gl", "id"])
def test_an_attribute_that_comes_twice_in_xml_is_noticed(attribute: str) -> None:
    twice = f'<chart id="1" accno="1000" link="" allow_gl="true" {attribute}="1000"/>'
    outcome = read_both_paths(xml_document(xml_posting(), xml_posting(chart=twice)))
    assert outcome.error is not None
    assert "well-formed" in outcome.error[1]


@pytest.mark.parametrize("chart", ['<chart id="-0" accno="1000" allow_gl="1"/>', '<chart id=" 7 " accno="1000"/>'])
def test_unusual_attributes_that_can_be_read_are_read(chart: str) -> None:
    outcome = read_both_paths(xml_document(xml_posting(), xml_posting(chart=chart)))
    assert outcome.rows is not None
    assert len(outcome.rows) == 2


def test_a_name_that_comes_twice_in_json_is_noticed() -> None:
    line = json.dumps(json_posting())
    for twice in ('"memo":"a",', '"chart":null,', '"@accno":"1020",'):
        where = line.index('"@id"') if "@" in twice else 1
        body = f'{{"transaction":[{line[:where]}{twice}{line[where:]}]}}'.encode()
        outcome = read_both_paths(body, JSON)
        assert outcome.error is not None
        assert "the same member twice" in outcome.error[1]
