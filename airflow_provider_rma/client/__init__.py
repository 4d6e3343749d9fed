"""The RMA API as a Python client: configuration, codecs, endpoints, transport. Knows no Airflow.

`client` has one method for each operation, `endpoints` describes the interface, `transport` exchanges requests and
responses, `errors` says what a response means. Nothing is imported here: the modules load requests and lxml.
"""
