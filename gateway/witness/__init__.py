"""A witness an agency runs beside nothing else of ours: one key, one small file for each log, one address."""
