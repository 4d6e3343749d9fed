"""JSON and XML bodies to one mapped form and back.

`wire` defines the form, `json` and `xml` convert, `bodies` chooses by content type.
"""
