from tests.promises.stage import running_simulator, stage

__all__ = ["running_simulator", "stage"]
