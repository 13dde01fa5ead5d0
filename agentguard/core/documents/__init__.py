"""Documents as small trees of blocks, and how they are written: as Markdown and as a page for a screen or for paper."""
