"""Progress of jobs as it happens: one poller for all who listen, and the route they listen by."""
