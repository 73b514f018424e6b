"""A database as a careful operator sets it up: one role owns it, and each program logs in as a role of its own."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from db.grants import grant
from db.migrating import migrate
from db.session import connect, driver_url


@dataclass(frozen=True, slots=True)
class Account:
    """A role that may log in to one database; roles belong to the whole server, so its name is random."""

    role: str
    url: str


@dataclass(frozen=True, slots=True)
class Deployment:
    """Who there is. Only ``owner`` owns anything, and nobody is a superuser but ``admin``."""

    admin: str
    """URL of the server's own administrator."""
    owner: Account
    fleet: Account
    web: Account
    reader: Account


@contextmanager
def deployed(server_url: str) -> Iterator[Deployment]:
    """Make database and roles, migrate as the owner, and give the fleet's role its grants; drop all when left.

    Nobody may call functions of the engine, save whoever was given that: the grants must do by themselves.
    """
    mark = secrets.token_hex(6)
    database, password = f"trawler_roles_{mark}", secrets.token_hex(12)
    url = urlsplit(driver_url(server_url))
    place = url.netloc.rpartition("@")[2]
    roles = [f"trawler_{name}_{mark}" for name in ("owner", "fleet", "web", "reader")]
    with connect(server_url) as admin:
        for role in roles:
            admin.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{password}'".encode())
        try:
            admin.execute(f"CREATE DATABASE {database}".encode())
            admin.execute(f"ALTER DATABASE {database} OWNER TO {roles[0]}".encode())
            accounts = [
                Account(role, url._replace(netloc=f"{role}:{password}@{place}", path=f"/{database}").geturl())
                for role in roles
            ]
            made = Deployment(url._replace(path=f"/{database}").geturl(), *accounts)
            migrate(made.owner.url)
            with connect(made.owner.url) as owner:
                owner.execute("REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA worker FROM PUBLIC")
                grant(owner, made.fleet.role)
            yield made
        finally:
            admin.execute(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)".encode())
            for role in roles:
                admin.execute(f"DROP ROLE {role}".encode())
