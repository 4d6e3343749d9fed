"""The send journal: what is about to be sent, was sent, and is known to be in the books.

`model` has rows and states, `store` reads and writes them, `overview` and `rebuild` are for a person on call; `tables`,
`engine` and `migrations` are the database.
"""
