"""The value that comes out of a comparison, its schema, and its files."""
