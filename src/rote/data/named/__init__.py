"""Data sets by name: those inside scikit-learn, and those that are downloaded."""
