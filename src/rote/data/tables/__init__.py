"""Tables: CSV and Parquet files to columns, columns to vectors, and back."""
