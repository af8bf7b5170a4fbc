"""What every room stands on: errors, seeds, statistics, configuration, run directories, console.

Nothing in here knows what an image is.
"""
