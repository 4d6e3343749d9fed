"""RMA's entities: one declaration each, read from the user, written to the wire and read from it.

Importing this package costs nothing; its modules load marshmallow and pendulum:

====================  ==============================================================================
module                schemas
====================  ==============================================================================
``customer``          ``CustomerSchema``
``invoice``           ``InvoiceSchema``, ``InvoicePartSchema``, ``IncomeEntrySchema``, ``TaxEntrySchema``
``part``              ``PartSchema`` (master data)
``ledger``            ``ChartSchema``, ``TransactionSchema``, ``BalanceRowSchema``, ``PositionalBalanceRowSchema``
``organisation``      ``DepartmentSchema``, ``ProjectSchema``
``payment``           ``PaymentSchema``, ``PayablePaymentSchema``
``purchases``         ``VendorSchema``, ``PayableSchema``, ``ExpenseEntrySchema``
``receipt``           ``ReceiptSchema`` (uploaded documents)
====================  ==============================================================================

An *entity* is a plain ``dict`` with RMA's own field names, attributes without ``@``, amounts as ``Decimal``, dates as
``datetime.date``, and lists as lists without their wrapper. List fields are always there, empty if nothing was given.
"""
