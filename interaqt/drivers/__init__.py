"""One module per database: connections, transactions, and what its SQL is called."""
