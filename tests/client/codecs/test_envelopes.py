"""What a list response states beside its list: once, or the same each time."""

from __future__ import annotations

import pytest

from airflow_provider_rma.client import endpoints
from airflow_provider_rma.client.codecs.bodies import iter_decode, parse_count
from airflow_provider_rma.client.codecs.wire import ContentType
from airflow_provider_rma.exceptions import IncompleteResponseError, RequestError, UnexpectedResponseError

ROW = '{"accountnumber": "1000", "amount": "1"}'


@pytest.mark.parametrize(
    "body",
    [
        '{"@number_of_transaction": "1", "number_of_transaction": "2", "row": ROW}',
        '{"number_of_transaction": "1", "@number_of_transaction": "2", "row": ROW}',
        '{"@number_of_transaction": "1", "number_of_transaction": 2, "row": ROW}',
        '{"@number_of_transaction": "1", "number_of_transaction": "", "row": ROW}',
        '{"number_of_transaction": "1", "number_of_transaction": "1", "row": ROW}',
        '{"number_of_transaction": ["1"], "row": ROW}',
        '{"@number_of_transaction": {"$": "1"}, "row": ROW}',
        '{"@row": ROW, "row": ROW}',
        '{"@row": "", "row": ROW}',
        '{"row": [ROW], "row": [ROW, ROW]}',
        '{"row": [ROW], "r\\u006fw": [ROW]}',
        '{"row": [ROW], "$": "text"}',
        '{"row": [ROW], "rows": [ROW]}',
        '{"number_of_transaction": "many", "row": ROW}',
        '{"number_of_transaction": "-1", "row": ROW}',
        '{"number_of_transaction": "1.0", "row": ROW}',
        '{"number_of_transaction": "' + "9" * 5_000 + '", "row": ROW}',
        "<table number_of_transaction='1' number_of_transaction='2'></table>",
        "<table><number_of_transaction>1</number_of_transaction>"
        "<number_of_transaction>2</number_of_transaction></table>",
        "<table number_of_transaction='viele'></table>",
    ],
)
def test_an_envelope_that_contradicts_itself_is_refused(body: str) -> None:
    form: ContentType = "xml" if body.startswith("<") else "json"
    content = body.replace("ROW", ROW).encode()
    with pytest.raises(UnexpectedResponseError):
        endpoints.LIST_BALANCES.decode_list(content, form)
    with pytest.raises(RequestError):
        count_streamed(content, form)


def count_streamed(content: bytes, form: ContentType) -> int | None:
    stream = iter_decode([content], form, "table", "row")
    for _ in stream:
        pass
    return parse_count(stream.attributes.get("number_of_transaction", ""))


def test_the_same_count_stated_twice_is_no_contradiction() -> None:
    body = f'{{"@number_of_transaction": "1", "number_of_transaction": 1, "row": {ROW}}}'.encode()
    assert len(endpoints.LIST_BALANCES.decode_list(body, "json")) == 1


@pytest.mark.parametrize("count", ["0", "2"])
def test_a_count_of_a_list_that_is_read_as_a_whole_must_hold_as_well(count: str) -> None:
    body = f'{{"@number_of_transaction": "{count}", "row": {ROW}}}'.encode()
    with pytest.raises(IncompleteResponseError, match=f"announced {count} entries and sent 1") as caught:
        endpoints.LIST_BALANCES.decode_list(body, "json")
    assert caught.value.is_miscounted


def test_an_attribute_of_an_entity_that_is_stated_twice_must_be_the_same() -> None:
    schema = endpoints.LIST_CHARTS.schema
    assert schema.from_wire({"@accno": "1000", "accno": "1000"})["accno"] == "1000"
    with pytest.raises(UnexpectedResponseError, match="twice"):
        schema.from_wire({"@accno": "1000", "accno": "1020"})
    posting = {"accno": "1000", "chart": {"@accno": "1000", "accno": "1020"}, "entry_id": "1"}
    with pytest.raises(UnexpectedResponseError, match="twice"):
        endpoints.LIST_TRANSACTIONS.schema.from_wire(posting)
