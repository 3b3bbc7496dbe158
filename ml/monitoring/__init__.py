"""Is the champion still right about the months that come in, and is it time to train again?"""
