"""Stored results handed on: as a bundle that anybody can verify, and two of them held against each other."""
