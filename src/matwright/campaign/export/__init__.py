"""Records of a store in the formats that others read."""
