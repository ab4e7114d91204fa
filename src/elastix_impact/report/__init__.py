"""What a person looks at: one HTML page per run, read from the run's folder."""
