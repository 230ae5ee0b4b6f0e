"""EM for mixtures of linear regressions with normal errors."""
