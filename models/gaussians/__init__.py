"""Normal mixtures: measurements, parameters, prior, and the PyMC model."""
