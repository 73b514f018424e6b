"""The older one-table layout of users on its way into the five tables: the older table, its backup, the five tables.

The older table is only read. It is copied into a backup first and moved from there, so what the application does to it
meanwhile cannot disturb the move.
"""
