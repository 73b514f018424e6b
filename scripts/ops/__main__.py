"""``python -m scripts.ops``."""

from scripts.ops.commands import app

app(prog_name="./run ops")
