"""Statistics of numbers alone: rates with intervals, clusters, detectors, agreement, sequential tests.

Nothing in here knows of images, models or copies.
"""
