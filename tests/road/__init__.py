"""The road to a real project, executed: build files as written, a Git host, and the sandbox as Google."""
