"""How far an estimate may be off: information, standard errors, profiles, bootstrap."""
