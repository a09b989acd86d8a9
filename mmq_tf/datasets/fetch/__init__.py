"""Public data sets, fetched file by file and verified by SHA-256."""
