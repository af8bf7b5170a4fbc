"""Remedies before and after: what was dropped of a training set, what each remedy did to a model."""
