"""What machines ask: metrics, and whether the deployment is healthy and ready."""

from console.monitoring.access import allow_scrape
from console.monitoring.routes import make_monitoring

__all__ = ["allow_scrape", "make_monitoring"]
