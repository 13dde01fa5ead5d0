"""Policies and decisions as documents that a person can read who never saw a policy file."""
