"""How many components? Likelihood-ratio test, Bayes factors, AIC, BIC, ICL and leave-one-out for K = 1, 2, ..., side by side."""
