"""What is said of a comparison: its quantities, how adequate EM is for each, and the verdict."""
