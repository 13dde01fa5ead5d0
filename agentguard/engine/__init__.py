"""The imperative shell: the walk of an action, its drivers, recovery, escalations, and the guard in front of them."""
