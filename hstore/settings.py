"""Settings: default < file < environment < command line.

The file is ``hstore.toml`` in the working directory, or the path in ``HSTORE_CONFIG``. Environment variables
carry the prefix ``HSTORE_``. The command line passes its values as arguments of :func:`load_settings`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

from platformdirs import user_data_path
from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from hstore.errors import SettingsError

_SECRET = ("mp_api_key", "database_url", "secret_key")
"""Settings whose value must not appear in a message."""


class Settings(BaseSettings):
    """Everything about hstore that depends on where it runs."""

    model_config = SettingsConfigDict(
        env_prefix="HSTORE_",
        extra="ignore",
        frozen=True,
        env_ignore_empty=True,
        use_attribute_docstrings=True,
        hide_input_in_errors=True,
    )

    home: Path = Field(default_factory=lambda: user_data_path("hstore"))
    """Folder of the store, models and downloaded data."""
    database_url: str | None = None
    """SQLAlchemy URL of the store; default is SQLite in the home folder."""
    data_mirror: Path | None = None
    """Folder with copies of public data sets, read as ``DIR/NAME/...`` in place of their upstream."""
    mp_api_key: SecretStr | None = None
    """Materials Project key; never printed, logged or stored."""
    seed: int = Field(default=0, ge=0)
    """Seed of everything random."""
    threads: int = Field(default=0, ge=0)
    """Threads of the numerical libraries; 0 takes all cores."""

    environment: Literal["development", "production"] = "development"
    """``development`` listens on loopback only and makes what secrets it lacks; ``production`` wants them set."""
    secret_key: SecretStr | None = None
    """Signs the sessions of the pages, at least 32 characters; required in production."""
    anonymous_read: bool | None = None
    """Whether callers without a key may read what is public; by default in development only."""
    requests_per_minute: int | None = Field(default=None, ge=1)
    """Requests of a key, or of an address without one; by default 600 in production, no limit in development."""
    processes: int = Field(default=1, ge=1)
    """Processes of the service, which share out the limits of requests; `hstore serve --processes` sets it."""
    concurrent_jobs: int = Field(default=4, ge=0)
    """Jobs a key may have queued or running."""
    fetch_endpoints: tuple[str, ...] = ()
    """Base URLs of OPTIMADE providers, besides the public ones by name, from which jobs may fetch."""
    cors_origins: tuple[str, ...] = ()
    """Origins whose pages may call the service from a browser; none by default."""
    log_format: Literal["text", "json"] = "text"
    """How the service and the worker write their logs."""
    metrics_access: Literal["loopback", "key", "open"] = "loopback"
    """Who may read ``/metrics``: this machine and keys with the scope admin, such keys only, or everybody."""
    worker_expected: bool = False
    """Whether ``/readyz`` fails while no worker is alive."""

    @property
    def reads_anonymously(self) -> bool:
        """Whether callers without a key may read what is public."""
        return self.environment == "development" if self.anonymous_read is None else self.anonymous_read

    @property
    def rate_per_minute(self) -> int | None:
        """Requests per minute of a key without a limit of its own; None for no limit."""
        if self.requests_per_minute is not None:
            return self.requests_per_minute
        return 600 if self.environment == "production" else None

    @property
    def store_url(self) -> str:
        """SQLAlchemy URL of the result store."""
        return self.database_url or f"sqlite:///{self.home / 'hstore.sqlite'}"

    @property
    def models_dir(self) -> Path:
        """Folder of the trained models."""
        return self.home / "models"

    @property
    def features_dir(self) -> Path:
        """Folder of the computed structure features."""
        return self.home / "features"

    @property
    def physics_dir(self) -> Path:
        """Folder of the relaxations and vibrations that were computed."""
        return self.home / "physics"

    @property
    def fetch_dir(self) -> Path:
        """Folder of the pages of unfinished fetches."""
        return self.home / "fetch"

    @property
    def jobs_dir(self) -> Path:
        """Folder of the files that jobs leave, one folder a job."""
        return self.home / "jobs"

    @property
    def data_dir(self) -> Path:
        """Folder of the downloaded public data sets."""
        return self.home / "data"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - signature of pydantic-settings
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - signature of pydantic-settings
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources: arguments, then environment, then file."""
        path = Path(os.environ.get("HSTORE_CONFIG", "hstore.toml"))
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, toml_file=path)


def load_settings(**overrides: Any) -> Settings:
    """Read the settings; arguments that are None leave the lower layers in force.

    Raises:
        SettingsError: a value is not allowed, or the file named in ``HSTORE_CONFIG`` cannot be read.
    """
    named = os.environ.get("HSTORE_CONFIG")
    if named and not Path(named).is_file():
        raise SettingsError(f"HSTORE_CONFIG names {named!r}, which is not a file; correct or unset it")
    try:
        return Settings(**{k: v for k, v in overrides.items() if v is not None})
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        given = "a value not shown here" if name in _SECRET else repr(first["input"])
        raise SettingsError(f"setting {name!r}: {first['msg']}, got {given}") from error
    except ValueError as error:
        raise SettingsError(f"settings file cannot be read as TOML: {error}") from error
