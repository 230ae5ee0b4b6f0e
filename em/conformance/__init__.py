"""Whether a family of one's own is what it says: its functions, densities, simulation and M-step tried against one another."""
