"""Audit entries in words, for the command line and the evidence pack; `narrator` tells each by its kind."""
