"""Commands: each module is one `./run` command, or a part of the ops command."""
