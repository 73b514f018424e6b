"""What is wrong with a deployment, found by looking: ``./run ops doctor``. Changes nothing."""
