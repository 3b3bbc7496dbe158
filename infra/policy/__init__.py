"""Policy over the synthesised stacks: checkov, our own checks, and waivers with a reason and an end."""
