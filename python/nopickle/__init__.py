"""Machine-learning models that are safe to pass around, without pickle.

``nopickle.skops`` saves and loads scikit-learn models as skops files: names are trusted by whoever
loads, values are verified before native code sees them.
"""

from nopickle import exceptions, skops
from nopickle._rust import __version__

__all__ = ["__version__", "exceptions", "skops"]
