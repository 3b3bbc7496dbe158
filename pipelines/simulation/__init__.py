"""The loop over months that are already over: is it worth training when the trigger says so?"""
