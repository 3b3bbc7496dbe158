"""What no fact can say, one short file a service: `<service>_plan.py` for plans, `<service>.py` for afterwards."""
