"""Tools for measuring: images, contenders, timing, processes and facts about the machine."""
