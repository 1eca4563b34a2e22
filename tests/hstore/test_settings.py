"""Settings: the order of the layers, refusals, secrets and paths."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from hstore.errors import SettingsError
from hstore.settings import Settings, load_settings


@pytest.fixture(autouse=True)
def empty_surroundings(monkeypatch, tmp_path):
    """No HSTORE_ variables and an empty working directory."""
    import os

    for name in list(os.environ):
        if name.upper().startswith("HSTORE_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def write(text, name="hstore.toml"):
    path = Path(name)
    path.write_text(text, encoding="utf-8")
    return path


def test_defaults():
    settings = load_settings()
    assert settings.home.name == "hstore"
    assert settings.seed == 0
    assert settings.mp_api_key is None
    assert settings.store_url == f"sqlite:///{settings.home / 'hstore.sqlite'}"


def test_each_layer_overrides_the_one_below(monkeypatch):
    assert load_settings().seed == 0
    write("seed = 1\n")
    assert load_settings().seed == 1
    monkeypatch.setenv("HSTORE_SEED", "2")
    assert load_settings().seed == 2
    assert load_settings(seed=3).seed == 3


def test_an_argument_of_none_leaves_the_lower_layers_in_force(monkeypatch):
    monkeypatch.setenv("HSTORE_SEED", "2")
    assert load_settings(seed=None).seed == 2


def test_an_empty_variable_is_no_value(monkeypatch):
    monkeypatch.setenv("HSTORE_SEED", "")
    assert load_settings().seed == 0


def test_the_file_can_be_named(monkeypatch, tmp_path):
    write("seed = 1\n")
    other = tmp_path / "other.toml"
    other.write_text("seed = 9\n", encoding="utf-8")
    monkeypatch.setenv("HSTORE_CONFIG", str(other))
    assert load_settings().seed == 9


def test_a_named_file_must_exist(monkeypatch):
    monkeypatch.setenv("HSTORE_CONFIG", "missing.toml")
    with pytest.raises(SettingsError, match=r"HSTORE_CONFIG names 'missing.toml', which is not a file"):
        load_settings()


def test_a_damaged_file_is_refused():
    write("seed = = 1\n")
    with pytest.raises(SettingsError, match="cannot be read as TOML"):
        load_settings()


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("seed", "-1", r"setting 'seed': .*greater than or equal to 0, got '-1'"),
        ("seed", "many", r"setting 'seed': .*valid integer.*got 'many'"),
        ("threads", "-2", r"setting 'threads': .*got '-2'"),
    ],
)
def test_wrong_values_name_the_setting(monkeypatch, name, given, message):
    monkeypatch.setenv(f"HSTORE_{name.upper()}", given)
    with pytest.raises(SettingsError, match=message):
        load_settings()


def test_the_home_moves_everything_below_it(tmp_path):
    settings = load_settings(home=tmp_path)
    assert settings.models_dir == tmp_path / "models"
    assert settings.data_dir == tmp_path / "data"
    assert settings.store_url == f"sqlite:///{tmp_path / 'hstore.sqlite'}"


def test_reading_settings_creates_nothing(tmp_path):
    load_settings(home=tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


def test_a_database_url_replaces_sqlite(monkeypatch):
    monkeypatch.setenv("HSTORE_DATABASE_URL", "postgresql+psycopg://localhost/hstore")
    assert load_settings().store_url == "postgresql+psycopg://localhost/hstore"


SECRET = "s3cr3t" * 5


def test_the_key_is_never_shown(monkeypatch):
    monkeypatch.setenv("HSTORE_MP_API_KEY", SECRET)
    settings = load_settings()
    assert settings.mp_api_key.get_secret_value() == SECRET
    for shown in (repr(settings), str(settings), settings.model_dump_json(), str(settings.model_dump())):
        assert SECRET not in shown


def test_a_wrong_key_is_not_shown_in_the_error_either():
    write("mp_api_key = 123454321\n")
    with pytest.raises(SettingsError, match="setting 'mp_api_key'") as caught:
        load_settings()
    assert "123454321" not in str(caught.value)
    assert "123454321" not in str(caught.value.__cause__)


def test_settings_cannot_be_changed():
    with pytest.raises(ValidationError, match="frozen"):
        load_settings().seed = 5


def test_every_setting_is_described():
    for name, field in Settings.model_fields.items():
        assert field.description, name
