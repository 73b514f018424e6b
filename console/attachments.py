"""What else the application serves beside the pages."""

from fastapi import APIRouter

from console.api import make_api, make_qstash
from console.monitoring import make_monitoring


def attachments() -> list[APIRouter]:
    """The routers of the HTTP API and of monitoring."""
    return [make_api(), make_qstash(), make_monitoring()]
