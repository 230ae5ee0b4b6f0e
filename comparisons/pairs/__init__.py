"""Somebody's own EM with somebody's own PyMC program of the same model: `comparisons.Pair` and what makes a problem of it."""
