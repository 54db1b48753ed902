"""mahavishnu's families of events whose payload is the publisher's: learning, code and backups."""

from __future__ import annotations

from typing import Final

from taskcopilot.services.event import OpenEvent

__all__ = ["EVENTS"]

_ECOSYSTEM: Final = ("symbiotic:ecosystem", "global")


class LearningMetrics(OpenEvent):
    """How well the ecosystem learns."""

    event = "learning.metrics"
    about = "symbiotic:ecosystem"
    goes_to = _ECOSYSTEM


class SkillEffectiveness(OpenEvent):
    """How much a skill helped."""

    event = "skill.effectiveness"
    about = "symbiotic:ecosystem"
    goes_to = _ECOSYSTEM


class StrategyRecommender(OpenEvent):
    """What is recommended to be done next."""

    event = "strategy.recommender"
    about = "symbiotic:ecosystem"
    goes_to = _ECOSYSTEM


class CodeEvent(OpenEvent):
    """Something happened to the code."""

    event = "code.*"
    about = "code:events"
    goes_to = ("code", "global")


class BackupEvent(OpenEvent):
    """Something happened to a backup."""

    event = "backup.*"
    about = "backup:events"
    goes_to = ("global",)


EVENTS: Final = (LearningMetrics, SkillEffectiveness, StrategyRecommender, CodeEvent, BackupEvent)
