"""
Build hook: puts the top-level ``example_dags/`` into standard wheels as ``airflow_agari_provider/example_dags``.

Editable installs are left alone: there a forced file would be a stale copy beside the checkout.
"""

from __future__ import annotations

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ExampleDags(BuildHookInterface):  # type: ignore[type-arg]
    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name == "wheel" and version == "standard":
            build_data["force_include"]["example_dags"] = "airflow_agari_provider/example_dags"
