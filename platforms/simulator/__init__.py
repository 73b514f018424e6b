"""A loopback stand-in for the providers: recorded or made-up answers, and every fault a test may ask for.

Run it with ``python -m platforms.simulator``; see docs/simulator.md. From Python: `app.create_app` for the ASGI
application, `serving.Simulator` for a thread, `running.running_simulator` for a process, `catalogue` for the truth.
"""
