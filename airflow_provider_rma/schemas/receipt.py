"""Receipts: the service's statement about an uploaded document ("Beleg")."""

from __future__ import annotations

from airflow_provider_rma.schemas.base import EntitySchema
from airflow_provider_rma.schemas.dates import CalendarDate
from airflow_provider_rma.schemas.text import Text


class ReceiptSchema(EntitySchema):
    """An uploaded document. RMA sets every field but the comment."""

    entity = "receipt"

    id = Text(read_only=True, note="identifies the document")
    comment = Text(multiline=True)
    checksum = Text(read_only=True, note="CRC32 of the content; whether decimal or hexadecimal is not documented")
    date_received = CalendarDate(read_only=True, is_timestamp=True, note="the time of day is dropped")
    file_name = Text(read_only=True)
