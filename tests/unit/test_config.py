"""Settings: which source wins, what is refused with what words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from landbridge.config import load
from landbridge.errors import LandbridgeError


def test_options_beat_variables_beat_the_file_beat_the_defaults(tmp_path: Path) -> None:
    (tmp_path / "landbridge.toml").write_text('port = 1\nhost = "a"\nsource = ["x", "y"]\nusername = "file"\n')
    environ = {"LANDBRIDGE_PORT": "2", "LANDBRIDGE_HOST": "b", "OTHER": "z"}

    settings = load({"port": 3}, environ, tmp_path)

    assert (settings.port, settings.host, settings.username, settings.durability) == (3, "b", "file", "full")
    assert settings.source == (Path("x"), Path("y"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"durability": "maybe"}, "durability is full or normal"),
        ({"port": 70000}, "port is a number from 0 to 65535"),
        ({"connected_app": ["no-secret"]}, "CLIENT_ID:CLIENT_SECRET"),
        ({"hide": ["NoDot"]}, "OBJECT.FIELD"),
        ({"log_format": "xml"}, "text or json"),
    ],
)
def test_a_bad_option_is_refused_in_words(options: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(LandbridgeError, match=message):
        load(options, {}, tmp_path)


def test_a_bad_variable_names_itself_and_hides_secrets(tmp_path: Path) -> None:
    with pytest.raises(LandbridgeError, match=r"LANDBRIDGE_PORT: 'eight' is not a valid value for port"):
        load({}, {"LANDBRIDGE_PORT": "eight"}, tmp_path)


def test_an_unknown_setting_in_the_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "landbridge.toml").write_text("prot = 1\n")

    with pytest.raises(LandbridgeError, match="a setting that does not exist: prot"):
        load({}, {}, tmp_path)
