"""The main job, end to end: steps that each do something real and leave sections of one report."""
