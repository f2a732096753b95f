"""How is measured: images, contenders, processes, the machine."""
