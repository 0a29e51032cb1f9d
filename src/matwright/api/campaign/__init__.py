"""Campaigns: propose, filter, evaluate, record, retrain, from one TOML file."""

from matwright.api.campaign.run import Outcome, run_campaign
from matwright.api.campaign.toml import load_campaign

__all__ = ["Outcome", "load_campaign", "run_campaign"]
