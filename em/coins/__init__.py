"""EM for mixtures of coins."""
