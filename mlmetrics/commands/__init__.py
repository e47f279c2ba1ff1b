"""The commands of `mlmetrics`, a file each; they parse words and print, the work is done elsewhere."""
