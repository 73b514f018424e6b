"""Loopback stand-ins for all providers: recorded or made-up answers, limits, and every fault a test may ask for.

Run it with ``python -m platforms.simulator``; see docs/simulator.md. From Python: `app.create_app` for the ASGI
application, `serving.Simulator` for a thread, `running.running_simulator` for a process, and `catalogue` and `truth`
for what a complete walk must find.
"""
