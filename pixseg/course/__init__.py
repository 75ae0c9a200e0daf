"Exercises that answer, and the scene of the course: `from pixseg.course import check, hint, scene, solution`."
from .engine import check, hint, scene, solution

__all__ = ['check', 'hint', 'scene', 'solution']
