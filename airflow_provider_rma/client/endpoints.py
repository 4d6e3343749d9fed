"""The usable endpoints of the RMA interface, each described once."""

from __future__ import annotations

from airflow_provider_rma.client.codecs.bodies import ANY_ROOT
from airflow_provider_rma.client.endpoint import Endpoint
from airflow_provider_rma.schemas.customer import CustomerSchema
from airflow_provider_rma.schemas.invoice import InvoiceSchema
from airflow_provider_rma.schemas.ledger import (
    BalanceRowSchema,
    ChartSchema,
    PositionalBalanceRowSchema,
    TransactionSchema,
)
from airflow_provider_rma.schemas.organisation import DepartmentSchema, ProjectSchema
from airflow_provider_rma.schemas.part import PartSchema
from airflow_provider_rma.schemas.payment import PayablePaymentSchema, PaymentSchema
from airflow_provider_rma.schemas.purchases import PayableSchema, VendorSchema
from airflow_provider_rma.schemas.receipt import ReceiptSchema

LIST_CUSTOMERS = Endpoint(
    "list customers", "GET", "/customers", "documented; seen in clients",
    CustomerSchema, response_root="customers", response_item="customer",
)  # fmt: skip
SAVE_CUSTOMER = Endpoint(
    "create or overwrite a customer", "POST", "/customers", "documented; status seen in clients",
    CustomerSchema, request_root="customer", success=(204, 200),
)  # fmt: skip
GET_CUSTOMER = Endpoint(
    "get a customer", "GET", "/customers/{customernumber}", "documented; seen in clients",
    CustomerSchema, response_root="customer",
)  # fmt: skip
LIST_PARTS = Endpoint(
    "list parts", "GET", "/parts", "documented; seen in clients",
    PartSchema, response_root="parts", response_item="part",
)  # fmt: skip
LIST_INVOICES = Endpoint(
    "list invoices", "GET", "/invoices", "documented; that `to` is inclusive is inferred from a client",
    InvoiceSchema, query=("from", "to", "status", "customer_number"),
    response_root="invoices", response_item="invoice",
)  # fmt: skip
CREATE_INVOICE = Endpoint(
    "create an invoice", "POST", "/invoices", "documented; 204 seen in clients",
    InvoiceSchema, request_root="invoice", success=(204,),
)  # fmt: skip
GET_INVOICE = Endpoint(
    "get an invoice", "GET", "/invoices/{invnumber}", "documented; seen in clients",
    InvoiceSchema, response_root="invoice",
)  # fmt: skip
GET_INVOICE_PDF = Endpoint(
    "get an invoice as PDF", "GET", "/invoices/{invnumber}/pdf", "documented; seen in clients",
    InvoiceSchema, query=("formname", "language_code"), media_type="application/pdf",
)  # fmt: skip
GET_INVOICE_HTML = Endpoint(
    "get an invoice as HTML", "GET", "/invoices/{invnumber}/html", "documented",
    InvoiceSchema, query=("formname", "language_code"), media_type="text/html",
)  # fmt: skip
PAY_INVOICE = Endpoint(
    "post a payment of an invoice", "POST", "/invoices/{invnumber}/payments", "documented; seen in clients",
    PaymentSchema, request_root="payment", response_root="payment", success=(200, 204),
)  # fmt: skip
LIST_PAYMENTS = Endpoint(
    "list payments of invoices", "GET", "/invoices/payment_list", "documented; its XML root is inferred",
    PaymentSchema, query=("processed",), response_root="payments", response_item="payment",
)  # fmt: skip
SET_AS_PROCESSED = Endpoint(
    "mark payments as processed", "POST", "/invoices/set_as_processed", "documented; its response is inferred",
    PaymentSchema, form="application/x-www-form-urlencoded", success=(204, 200),
)  # fmt: skip
LIST_PAYABLES = Endpoint(
    "list vendor invoices", "GET", "/payables", "seen in clients",
    PayableSchema, query=("from", "to"), response_root="payables", response_item="payable",
)  # fmt: skip
CREATE_PAYABLE = Endpoint(
    "create a vendor invoice", "POST", "/payables", "inferred: the entity is documented, the request is not",
    PayableSchema, request_root="payable", success=(204, 200), is_inferred=True,
)  # fmt: skip
GET_PAYABLE = Endpoint(
    "get a vendor invoice", "GET", "/payables/{invnumber}", "inferred from invoices",
    PayableSchema, response_root="payable", is_inferred=True,
)  # fmt: skip
PAY_PAYABLE = Endpoint(
    "post a payment of a vendor invoice", "POST", "/payables/{invnumber}/payments",
    "documented; its response is inferred",
    PayablePaymentSchema, request_root="payment", response_root="payment", success=(200, 204),
)  # fmt: skip
LIST_VENDORS = Endpoint(
    "list vendors", "GET", "/vendors", "inferred: the introduction names the resource",
    VendorSchema, response_root="vendors", response_item="vendor", is_inferred=True,
)  # fmt: skip
GET_VENDOR = Endpoint(
    "get a vendor", "GET", "/vendors/{vendornumber}", "inferred from customers",
    VendorSchema, response_root="vendor", is_inferred=True,
)  # fmt: skip
SAVE_VENDOR = Endpoint(
    "create or overwrite a vendor", "POST", "/vendors", "inferred: an internal tool posts form fields",
    VendorSchema, request_root="vendor", success=(200, 204), is_inferred=True,
)  # fmt: skip
LIST_CHARTS = Endpoint(
    "list accounts", "GET", "/charts", "seen in a client",
    ChartSchema, response_root="charts", response_item="chart",
)  # fmt: skip
LIST_TRANSACTIONS = Endpoint(
    "list postings of accounts", "GET", "/charts/{accno}/transactions", "documented; its JSON form is inferred",
    TransactionSchema, query=("from_date", "to_date", "include_openings", "include_closings"),
    response_root="transactions", response_item="transaction",
)  # fmt: skip
LIST_BALANCES = Endpoint(
    "list balances", "GET", "/gl/v2/saldo", "documented; seen in clients",
    BalanceRowSchema,
    query=(
        "accno", "from", "to", "department", "bookkeeping_main_curr", "exclude_yearend_bookings", "include_openings",
        "project",
    ),
    response_root="table", response_item="row",
)  # fmt: skip
LIST_BALANCES_V1 = Endpoint(
    "list balances, first version", "GET", "/gl/saldo", "documented; its JSON is seen in a client, its XML inferred",
    PositionalBalanceRowSchema, query=("accno", "from", "to", "exclude_yearend_bookings"),
    response_root="table", response_item="row",
)  # fmt: skip
LIST_DEPARTMENTS = Endpoint(
    "list departments", "GET", "/departments", "seen in a client",
    DepartmentSchema, response_root="departments", response_item="department",
)  # fmt: skip
LIST_PROJECTS = Endpoint(
    "list projects", "GET", "/projects", "seen in a client",
    ProjectSchema, response_root="projects", response_item="project",
)  # fmt: skip

UPLOAD_RECEIPT = Endpoint(
    "upload a receipt", "POST", "/belege", "documented; the root of its response is not",
    ReceiptSchema, form="multipart/form-data", response_root=ANY_ROOT,
)  # fmt: skip

#: In the order of the interface's documentation.
ENDPOINTS = (
    LIST_CUSTOMERS, SAVE_CUSTOMER, GET_CUSTOMER, LIST_PARTS, LIST_INVOICES, CREATE_INVOICE, GET_INVOICE,
    GET_INVOICE_PDF, GET_INVOICE_HTML, PAY_INVOICE, LIST_PAYMENTS, SET_AS_PROCESSED, LIST_PAYABLES, CREATE_PAYABLE,
    GET_PAYABLE, PAY_PAYABLE, LIST_VENDORS, GET_VENDOR, SAVE_VENDOR, LIST_CHARTS, LIST_TRANSACTIONS, LIST_BALANCES,
    LIST_BALANCES_V1, LIST_DEPARTMENTS, LIST_PROJECTS, UPLOAD_RECEIPT,
)  # fmt: skip
