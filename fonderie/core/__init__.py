"""What everything else stands on and what knows nothing of it: facts that have one place, and how they are read."""
