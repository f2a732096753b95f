"""Images of a page: the choice of the images, and their small copies."""
