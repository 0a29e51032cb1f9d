"""Physical residuals shared by losses and filters: geometry, chemistry, thermodynamics."""
