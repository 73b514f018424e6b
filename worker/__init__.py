"""The engine: claims, leases, commits and settles tasks. It knows no provider."""
