"""Label switching: draws relabelled by what is known of the rows, and both fits compared by what has no labels."""
