"""A user's method: labels are shrunk towards their mean."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Smoothing:
    share: float = 0.2

    def targets(self, labels, predictions=None, progress=None):
        return (1 - self.share) * labels + self.share * labels.mean(axis=0)[None, :]
