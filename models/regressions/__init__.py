"""Mixtures of linear regressions with normal errors: nouns and PyMC model."""
