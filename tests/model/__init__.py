from tests.support import patient_hypothesis

__all__ = ["patient_hypothesis"]
