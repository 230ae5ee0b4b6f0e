"""The integrity checks: are both engines right? A file each, under the name that reports use, and what they share."""
