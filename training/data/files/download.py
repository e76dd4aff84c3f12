"""Downloads files with pooch, with a progress bar and a cache; a file is used only if its checksum is right."""

import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pooch
import requests

NO_CONNECTION = "no connection"


@dataclass(frozen=True)
class Remote:
    """A file and the addresses that offer it; `md5` is the checksum that its authors publish."""

    name: str
    urls: tuple[str, ...]
    md5: str


def fetch(
    remote: Remote, folder: str | os.PathLike[str] | None = None, timeout: float = 30.0, progress: bool = True
) -> Path:
    """The path of the file in the cache, downloaded if it is not there or damaged.

    A download goes to a temporary file and takes its place only if its checksum is right.

    Args:
        remote: what to fetch; its addresses are tried in turn.
        folder: the cache; by default the user's, as the system defines it.
        timeout: seconds without a byte after which an address is given up.
        progress: show a progress bar on the standard error stream.

    Raises:
        OSError: if no address gives the right file; the sentence says what each one did.
    """
    cache, failures, offline = Path(folder or pooch.os_cache("rdml")), list[str](), 0
    pooch.get_logger().setLevel(logging.WARNING)
    for url in remote.urls:
        downloader: Any = pooch.HTTPDownloader(progressbar=progress, timeout=timeout)
        try:
            found = pooch.retrieve(url, f"md5:{remote.md5}", remote.name, cache, downloader=downloader)
            return Path(found)
        except (
            OSError,
            ValueError,
        ) as error:  # requests' errors are OSErrors; a wrong checksum is a ValueError
            failures.append(f"{url}: {_reason(error)}")
            offline += failures[-1].endswith(NO_CONNECTION)
    why = "there is no network, or it does not reach this address" if offline == len(failures) else "check the network"
    raise OSError(
        f"cannot download {remote.name} ({'; '.join(failures)}): {why}; put the file into a folder and pass it as "
        "--data-root"
    )


def _reason(error: Exception) -> str:
    if isinstance(error, ValueError) and "hash" in str(error):
        return "the file has a wrong checksum"
    if isinstance(error, requests.ConnectionError):  # its own message is a long dump from urllib3
        return "timed out" if "Read timed out" in str(error) else NO_CONNECTION
    return " ".join(str(error).split())
