"""How the real provider plans: its SDK's comparison of configuration and state, driven by schema and facts.

The SDK (terraform-plugin-sdk v2) does not compare values but makes a *difference*: a change for each leaf, each count
of a list, set or map. The plan is the prior state with that difference applied. Its quirks (an element of a set is
compared with nothing, an empty string counts as no value, a nested count forces replacement) show in every recorded
plan, so its steps are followed here: fields -> difference -> planned state -> paths that force replacement.
"""
