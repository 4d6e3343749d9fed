"""The command line ``rma``: what a person on call needs."""
