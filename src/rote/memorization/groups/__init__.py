"""Who is copied where items belong to groups: what is no rival within one, and the groups reproduced."""
