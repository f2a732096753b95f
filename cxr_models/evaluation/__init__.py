"""From predictions to numbers with intervals. Imports no framework."""
