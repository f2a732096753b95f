"""The study of docs/study.md: the script that runs it, and the tables made of what it stored."""
