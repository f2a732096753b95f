"""Reading of the files of runs, and checks that the files belong together."""
