"""The browser and its driver: where they are on this machine, and how they are started."""

import logging
import os
import shutil
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from genre_assets.sources.catalogue import SourceError

if TYPE_CHECKING:
    from selenium.webdriver import ChromeOptions

_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_DRIVERS = ("chromedriver", "chromium.chromedriver")

_FLAGS = (
    "--headless=new",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--mute-audio",
    "--no-first-run",
    "--no-default-browser-check",
    "--no-proxy-server",  # a proxy would resolve names that the browser may not reach
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--disable-breakpad",
    "--disable-auto-reload",
)
_OFF = 2
_PREFERENCES = {
    "profile.managed_default_content_settings.javascript": _OFF,
    "profile.managed_default_content_settings.images": _OFF,
    "download_restrictions": 3,
}


class BrowserMissing(SourceError):  # noqa: N818
    """There is no Chromium, or no driver for it."""


@dataclass(frozen=True)
class Chromium:
    """An installed browser.

    Attributes:
        binary: The browser.
        driver: Its driver.
    """

    binary: Path
    driver: Path


def find_chromium(
    binary: Path | None = None, driver: Path | None = None, download: bool = False
) -> Chromium:
    """Find the browser: as named, else as installed, else by Selenium Manager.

    Args:
        binary: The browser, or None to look for it.
        driver: Its driver, or None to look for it.
        download: Whether Selenium Manager may fetch what is missing.

    Raises:
        BrowserMissing: If there is none; says what to install.
    """
    binary = binary or _on_path(_BROWSERS)
    driver = driver or _on_path(_DRIVERS)
    for named in (binary, driver):
        if named is not None and not named.is_file():
            raise BrowserMissing(f"{named} is no file: name the program to run.")
    if binary and driver:
        return Chromium(binary, driver)
    missing = " and no ".join(
        name for name, path in (("Chromium", binary), ("chromedriver", driver)) if path is None
    )
    return _downloaded(binary, missing) if download else _nothing(missing)


def _on_path(names: Collection[str]) -> Path | None:
    found = (shutil.which(name) for name in names)
    return next((Path(path) for path in found if path), None)


def _downloaded(binary: Path | None, missing: str) -> Chromium:
    from selenium.common.exceptions import WebDriverException
    from selenium.webdriver.common.selenium_manager import SeleniumManager

    quieten()
    wanted = ["--browser", "chrome", "--avoid-stats"]
    if binary is not None:
        wanted += ["--browser-path", str(binary)]
    try:
        found = SeleniumManager().binary_paths(wanted)
    except WebDriverException:
        return _nothing(f"{missing} (and Selenium Manager could not fetch it)")
    return Chromium(Path(found["browser_path"]), Path(found["driver_path"]))


def _nothing(missing: str) -> Chromium:
    raise BrowserMissing(
        f"There is no {missing} on this machine: on Debian `apt-get install chromium "
        "chromium-driver` installs both, elsewhere set GENRE_ASSETS_CHROMIUM and "
        "GENRE_ASSETS_CHROMEDRIVER."
    )


def runs_in_sandbox(live: bool, given_up: bool) -> bool:
    """Whether the browser is to run in its sandbox, which it cannot as root.

    Args:
        live: Whether it reads a site that is not on this machine.
        given_up: Whether the user allows it to run without its sandbox.

    Raises:
        SourceError: If it would read a live site without its sandbox and nobody allowed that.
    """
    root = os.geteuid() == 0
    if live and root and not given_up:
        raise SourceError(
            "Chromium has no sandbox when it runs as root, so it reads no live site: run as "
            "another user, or, where the machine itself is a sandbox such as a container, set "
            "GENRE_ASSETS_CHROMIUM_NO_SANDBOX=yes."
        )
    return not (root or given_up)


def quieten() -> None:
    """Keep what Selenium and its HTTP client log to themselves."""
    for name in ("selenium", "urllib3"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def resolver_rules(allowed_hosts: Collection[str]) -> str:
    """Rules by which no name but those of the allowed hosts leads anywhere."""
    with_port = sorted(host for host in allowed_hosts if ":" in host)
    rest = sorted(set(allowed_hosts) - set(with_port))
    kept = [f"MAP {host} {host}" for host in with_port]
    return " , ".join([*kept, "MAP * ~NOTFOUND", *(f"EXCLUDE {host}" for host in rest)])


def environment_in(folder: Path) -> dict[str, str]:
    """The environment in which all that the browser writes lands in its folder."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
    return {**kept, "HOME": str(folder), "TMPDIR": str(folder)}


def chromium_options(
    chromium: Chromium,
    agent: str,
    allowed_hosts: Collection[str],
    folder: Path,
    sandboxed: bool = True,
) -> "ChromeOptions":
    """How the browser is started: with nothing kept, nothing embedded and no host but the allowed.

    Args:
        chromium: The browser.
        agent: What it calls itself.
        allowed_hosts: Names of the hosts that it can reach.
        folder: Where its profile lies.
        sandboxed: Whether it runs in its sandbox, which root cannot have.
    """
    from selenium.webdriver import ChromeOptions

    options = ChromeOptions()
    options.binary_location = str(chromium.binary)
    options.page_load_strategy = "eager"
    for flag in _FLAGS:
        options.add_argument(flag)
    if not sandboxed or os.geteuid() == 0:
        options.add_argument("--no-sandbox")
    options.add_argument(f"--user-agent={agent}")
    options.add_argument(f"--user-data-dir={folder}/profile")
    options.add_argument(f"--host-resolver-rules={resolver_rules(allowed_hosts)}")
    options.add_experimental_option("prefs", _PREFERENCES)
    options.add_experimental_option(
        "perfLoggingPrefs", {"enableNetwork": True, "enablePage": False}
    )
    options.set_capability("goog:loggingPrefs", {"performance": "ALL"})
    return options
