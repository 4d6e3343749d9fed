"""The send journal: what is about to be sent, was sent, and is known to be in the books.

`model` has rows and states, `store` reads and writes them, `engine` and `migrations` open the database.
"""
