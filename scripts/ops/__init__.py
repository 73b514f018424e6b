"""Look at jobs and mend them: ``./run ops COMMAND --help``."""
