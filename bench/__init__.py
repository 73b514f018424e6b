"""Measures Trawler, and those it is compared with, in the same run on the same machine: ``./run bench``."""
