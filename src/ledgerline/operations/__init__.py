"""Looking after the databases: guarded queries and the keys that may ask them."""
