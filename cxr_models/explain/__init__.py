"""Where a network looked: Grad-CAM maps and the pictures made of them."""
