"""Is each step of a hand-written EM right? `comparisons.audit` and what it looks at."""
