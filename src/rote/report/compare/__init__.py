"""The page of two audits compared."""
