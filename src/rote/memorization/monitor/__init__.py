"""The monitor: what a training loop calls to know whether copying has begun."""
