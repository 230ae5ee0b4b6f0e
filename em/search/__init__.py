"""Which starts, and which of the optima they lead to."""
