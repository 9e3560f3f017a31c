"""Profiles, settings and the config file. No message or `repr` of this package contains a token."""
