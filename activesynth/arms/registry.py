"""The arms by name."""

from __future__ import annotations

from activesynth.domain.registry import Row

ARMS = {
    "real": Row("activesynth.arms.real:RealArm"),
    "reweighted": Row("activesynth.arms.real:ReweightedArm"),
    "random": Row("activesynth.arms.synthetic:RandomArm"),
    "targeted": Row("activesynth.arms.synthetic:TargetedArm"),
    "smote": Row("activesynth.arms.smote:SmoteArm"),
    "chameleon": Row("activesynth.arms.chameleon:ChameleonArm"),
    "corrupted": Row("activesynth.arms.corrupted:CorruptedArm"),
    "static": Row("activesynth.arms.static:StaticArm"),
}
