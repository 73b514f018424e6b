"""What the operators' pages read. Reads only, no locks, and nothing that grows with the number of ended jobs.

Counts stop at a limit, lists go on from a key, and searches look at so many rows at a time.
"""
