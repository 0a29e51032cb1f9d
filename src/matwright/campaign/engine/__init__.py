"""Where evaluations run: in this process, or in supervised workers on a laptop or a cluster."""
