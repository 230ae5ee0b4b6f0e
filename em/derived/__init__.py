"""An EM out of a PyMC program: the only room of `em` that meets PyMC, inside of functions."""
