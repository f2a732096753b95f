"""What several tests share: images, files, runs, and other oracles' answers."""
