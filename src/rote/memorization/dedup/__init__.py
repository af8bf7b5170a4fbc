"""Training sets without their duplicates: which of each group stays, the files, and the way back."""
