"""What is known, written once: records addressed by content, the work that is open, and files beside them."""
