"""The images of a page: the choice of images, and their small copies."""
