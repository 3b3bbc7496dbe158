"""Who may do what: roles, permissions, the access table and the map."""
