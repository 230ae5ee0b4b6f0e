"""``python -m comparisons`` is the command ``comparisons``."""

from comparisons.command.command_line import main

# Each process of a run imports this module again under another name.
if __name__ == "__main__":
    main(prog_name="comparisons")
