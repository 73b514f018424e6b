"""Apify: hosted scrapers ("Actors") that are started, waited for, and leave their results in a dataset."""
