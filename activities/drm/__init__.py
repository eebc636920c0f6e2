"""Encryption of the output: which keys, from where."""
