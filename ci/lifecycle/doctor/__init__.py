"""`fonderie doctor`: what stands between an environment's settings and a deployment, and the command that mends it."""
