"""Where runs are executed: worker processes here, or Ray."""
