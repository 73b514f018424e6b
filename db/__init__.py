"""The database: models of the application's tables, migrations, and every statement the engine runs."""
