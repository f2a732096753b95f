"""What a run leaves on disk: names and contents of its files. Imports no framework."""
