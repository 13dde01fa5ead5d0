"""The public test kit: parts that behave like the world outside, for tests and demonstrations."""
