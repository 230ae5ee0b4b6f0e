"""From a start to where the objective stops rising."""
