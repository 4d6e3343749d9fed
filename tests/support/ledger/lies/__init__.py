"""The table of lies, by what they are about."""
