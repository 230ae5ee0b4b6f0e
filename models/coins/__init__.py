"""Mixtures of coins: bags of tosses, parameters, prior, and the PyMC model."""
