"""Every statement the engine runs: one named function a statement, with its purpose, its locks and its plan.

Lock order everywhere: lane, task, the application's row, then the user's row of ``user_usage``. Times of the
application's columns are written as UTC.
No statement needs an index of the application's tables other than a primary key, but those of users, which are few.
"""
