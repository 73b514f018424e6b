"""Typed models of the application's tables, one table family a file. Importing this package registers them all."""

from db.models.background import BackgroundJob, Event
from db.models.base import Base
from db.models.platform import SubscriptionPlan, SystemConfiguration
from db.models.scraping import Campaign, ScrapingJob, ScrapingResult
from db.models.search import SearchJob, SearchResult
from db.models.users import User, UserBilling, UserSubscription, UserSystemData, UserUsage

__all__ = [
    "BackgroundJob",
    "Base",
    "Campaign",
    "Event",
    "ScrapingJob",
    "ScrapingResult",
    "SearchJob",
    "SearchResult",
    "SubscriptionPlan",
    "SystemConfiguration",
    "User",
    "UserBilling",
    "UserSubscription",
    "UserSystemData",
    "UserUsage",
]
