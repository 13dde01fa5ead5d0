"""What anybody can check without us: trees of hashes, signed checkpoints, proofs and witnesses.

It follows published formats: RFC 9162 for the tree, C2SP's signed notes, checkpoints, cosignatures and proofs. It takes
bytes and gives bytes, and knows neither the database nor what an entry means.
"""
