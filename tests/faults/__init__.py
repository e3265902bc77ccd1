"""Missions run while their processes die, freeze and lose messages: what must hold afterwards, holds."""
