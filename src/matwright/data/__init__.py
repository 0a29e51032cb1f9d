"""Reading tables of materials, splitting them, and the reference data that ship with the package."""
