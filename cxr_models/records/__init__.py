"""From files to rows to a split: what a study is made of. Imports no framework."""
