import shutil

from devstack.errors import StackError
from devstack.locking import PlaceLock
from devstack.place import Place
from devstack.services import outside_home, run_dir_of


def reset(place: Place) -> str:
    """Drop all development data of this checkout and say what was dropped.

    Refuses while something runs on that data.
    """
    if not place.base.is_dir():
        return "nothing to reset"
    locks = [PlaceLock(place.lock), PlaceLock(place.base / "engines.lock")]
    try:
        for lock in locks:
            lock.acquire()
        for folder in (run_dir_of(place.base), outside_home(place.base), place.base):
            if folder.exists():
                shutil.rmtree(folder)
    except PermissionError as error:
        raise StackError(f"cannot remove {error.filename}: {error.strerror}") from error
    finally:
        for lock in locks:
            lock.release()
    return f"dropped {place.base}"
