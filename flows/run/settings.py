"""Settings of a machine, by environment variables: what a recipe should not say because it differs from place to place."""

from typing import Final

from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Read from ``UNISRM_<NAME>``."""

    model_config = SettingsConfigDict(env_prefix="UNISRM_")

    workspaces: str = "workspaces"
    """Folder or URL below which a recipe without a workspace of its own gets one."""
    ray_address: str | None = None
    """Cluster to use where ``--ray`` is not given."""
    ledger: str | None = None
    """Ledger: a file, or a postgresql:// URL to share; needed where the workspace is not on a local disk."""
    key_check: bool = True
    """Whether a build tries the keys of its judges before it begins."""
    listening_secret: SecretStr | None = None
    """Key of the listening test's links and sessions; null = ``listening.secret`` in the workspace, where that is a folder."""
    listening_url: str | None = None
    """Address at which listeners reach the test, where ``--base-url`` is not given."""
    listening_proxy: str | None = None
    """Addresses of proxies in front of the listening test, separated by commas, where ``--proxy`` is not given."""


SECRETS: Final = ("UNISRM_LEDGER", "UNISRM_LISTENING_SECRET")
"""Settings that hold a login or a key."""
