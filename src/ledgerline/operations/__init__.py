"""What is done with the databases besides ingestion: guarded queries, keys, backups, diagnosis, alerts."""
