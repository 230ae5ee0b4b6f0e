"""Compiled code that `em` and PyMC's models both run: one pass over rows, which knows no family and no density."""
