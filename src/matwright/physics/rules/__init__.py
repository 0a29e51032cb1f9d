"""The rule base: what chemists have learned to expect of compounds, each rule with its limit and its source."""
