"""The RMA API as a Python client: configuration, codecs, endpoints, transport. Knows no Airflow.

Nothing is imported here on purpose: the modules below load requests and lxml, which DAG parsing must not pay for.

* :mod:`airflow_provider_rma.client.config`: what a connection says.
* :mod:`airflow_provider_rma.client.client`: the client with one method for each thing to do.
* :mod:`airflow_provider_rma.client.endpoints`: the interface described once.
* :mod:`airflow_provider_rma.client.transport`: one HTTP exchange, its retries and its errors.
* :mod:`airflow_provider_rma.client.codecs.content`: JSON and XML to the mapped form and back.
"""
