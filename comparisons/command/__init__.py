"""The command line, what it shows in a terminal, and the processes it runs."""
