"""The effective model memorization (EMM) from the runs that measured it.

Numbers only: no images, no models.
"""
