"""How rows come and are added up: in memory, in chunks, by compiled passes."""
