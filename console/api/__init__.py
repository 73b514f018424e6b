"""The HTTP API (docs/api.md): ``/api/v1``, and what takes a QStash's place below ``/v2``."""

from console.api.application import make_api, make_qstash

__all__ = ["make_api", "make_qstash"]
