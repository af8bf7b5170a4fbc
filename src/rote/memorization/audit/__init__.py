"""The audit: two sides in; rates, controls and verdicts out; its files."""
