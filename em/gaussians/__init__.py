"""EM for mixtures of normal distributions."""
