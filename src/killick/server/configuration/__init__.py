"""How a registry is served: a TOML file, then the environment, then flags, checked strictly.

To add a section: write a module here with a frozen dataclass whose fields are made by `setting`,
and one line in `sections.Configuration`. The file, the environment, flags, `--check` and the table
in docs/serve.md follow from it.
"""

from killick.server.configuration.layers import assignments, load
from killick.server.configuration.sections import Configuration
from killick.server.configuration.show import shown
from killick.server.configuration.table import Bounds, Setting, Wrong, section, setting, settings_of
from killick.server.configuration.values import Size

__all__ = [
    "Bounds",
    "Configuration",
    "Setting",
    "Size",
    "Wrong",
    "assignments",
    "load",
    "section",
    "setting",
    "settings_of",
    "shown",
]
