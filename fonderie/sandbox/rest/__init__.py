"""Google's REST APIs over the cloud file: what our code, the CI and a person's tools call."""
