"""Policies as formulas: every possible request at once, for a solver (z3, behind the extra `prove`).

One translation of the language's terms, beside the tree walker that defines them and the generated code. What it cannot
say exactly it says too broadly, and names it: a proof then still holds, and a counterexample is replayed before anybody
sees it.
"""
