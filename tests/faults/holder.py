"""Another program that holds a SQLite database: says `held`, and lets go when its input ends."""

import sqlite3
import sys

if __name__ == "__main__":
    connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)
    connection.execute(sys.argv[2])
    print("held", flush=True)
    sys.stdin.read()
    connection.rollback()
