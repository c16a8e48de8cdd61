select stream, day, fingerprint, source_days from reconciliation_partition
