"""All rows within a radius, exactly: listed, or joined into groups without being listed."""
