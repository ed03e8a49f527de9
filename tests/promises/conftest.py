from tests.promises.stage import dialled, running_simulator, stage

__all__ = ["dialled", "running_simulator", "stage"]
