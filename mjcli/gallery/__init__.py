"""A page of the pictures that the ledger knows: its data, its files, its server, and contact sheets."""
