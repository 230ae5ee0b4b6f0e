"""Whether the model fits the data, which changes no verdict."""
