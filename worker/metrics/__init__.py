"""What is counted, and how it outlives the process that counted it.

A worker has no port. Each process counts in memory, adds what is new to ``worker.metrics`` every few seconds and at a
clean end, and the console shows the sum of all processes, dead ones too.
"""
