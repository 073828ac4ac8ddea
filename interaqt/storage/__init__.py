"""Tables, statements and values: the only part that knows Peewee."""
