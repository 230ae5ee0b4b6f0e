"""Which shortcut would have been good enough? Other ways to a posterior, each held against a long run of NUTS."""
