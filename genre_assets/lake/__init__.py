"""The lake: declared tables, atomic Parquet files, and DuckDB views over them."""
