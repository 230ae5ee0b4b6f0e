"""Ways to the posterior: NUTS, importance sampling guided by EM, quadrature, and what is true of draws of it."""
