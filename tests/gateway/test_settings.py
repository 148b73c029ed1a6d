from pathlib import Path

import pytest
from pydantic import ValidationError

from gateway.settings import Settings, SettingsError, default_home, is_loopback, load_settings


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch):
    for name in Settings.model_fields:
        monkeypatch.delenv(f"PLANHUB_{name.upper()}", raising=False)


def test_every_setting_is_described():
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_defaults_listen_on_loopback_with_embedded_servers():
    settings = load_settings()
    assert (settings.host, settings.port) == ("127.0.0.1", 8400)
    assert settings.embedded_database
    assert settings.broker_url is None
    assert settings.base_url == "http://127.0.0.1:8400"


def test_the_environment_is_read_and_an_argument_wins(monkeypatch):
    monkeypatch.setenv("PLANHUB_PORT", "8500")
    assert load_settings().port == 8500
    assert load_settings(port=8600).port == 8600


def test_an_empty_variable_means_the_default(monkeypatch):
    monkeypatch.setenv("PLANHUB_DATABASE_URL", "")
    assert load_settings().database_url is None


def test_a_misspelt_variable_is_refused_with_the_right_name(monkeypatch):
    monkeypatch.setenv("PLANHUB_DATABSE_URL", "postgresql://somewhere/planhub")
    with pytest.raises(
        SettingsError, match="PLANHUB_DATABSE_URL is not a setting; did you mean PLANHUB_DATABASE_URL"
    ):
        load_settings()


def test_variables_of_the_launcher_and_of_the_tests_are_left_alone(monkeypatch):
    monkeypatch.setenv("PLANHUB_VENV", "/somewhere")
    monkeypatch.setenv("PLANHUB_TEST_POSTGRES_URL", "postgresql://somewhere/tests")
    assert load_settings().port == 8400


def test_an_unknown_argument_is_refused():
    with pytest.raises(SettingsError, match="PLANHUB_COLOUR"):
        load_settings(colour="blue")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "hub.example.org"])
def test_plain_http_off_loopback_is_refused_with_what_to_do(host):
    with pytest.raises(SettingsError, match=r"in clear\. Set tls_certificate and tls_key"):
        load_settings(host=host)


def test_plain_http_off_loopback_is_refused_by_the_model_itself_not_only_by_the_loader():
    with pytest.raises(ValidationError):
        Settings(host="0.0.0.0")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_plain_http_on_loopback_is_allowed(host):
    assert is_loopback(host)
    assert load_settings(host=host).base_url.startswith("http://")


def test_an_ipv6_address_is_bracketed_in_the_base_url():
    assert load_settings(host="::1").base_url == "http://[::1]:8400"


def test_tls_files_allow_any_address():
    settings = load_settings(host="192.0.2.7", tls_certificate="/etc/hub.pem", tls_key="/etc/hub.key")
    assert settings.serves_tls
    assert settings.base_url == "https://192.0.2.7:8400"


def test_a_certificate_without_its_key_is_refused():
    with pytest.raises(SettingsError, match="belong together"):
        load_settings(tls_certificate="/etc/hub.pem")


def test_a_proxy_needs_an_https_public_address():
    with pytest.raises(SettingsError, match="public_url must be an https"):
        load_settings(host="0.0.0.0", behind_proxy=True, public_url="http://hub.example.org")
    settings = load_settings(host="0.0.0.0", behind_proxy=True, public_url="https://hub.example.org/")
    assert settings.base_url == "https://hub.example.org"


def test_a_public_address_of_another_scheme_is_refused():
    with pytest.raises(SettingsError, match="must start with https"):
        load_settings(public_url="ftp://hub.example.org")


def test_an_outside_database_needs_a_key_store_of_its_own():
    with pytest.raises(SettingsError, match="must not lie beside the data"):
        load_settings(database_url="postgresql://db.example.org/planhub")


def test_an_admin_address_alone_is_refused():
    with pytest.raises(SettingsError, match="database_admin_url needs database_url"):
        load_settings(database_admin_url="postgresql://db.example.org/planhub")


def test_a_password_never_shows_in_an_error_or_a_repr():
    secret = "postgresql://planhub_app:tulip-garden@db.example.org/planhub"
    with pytest.raises(SettingsError) as refused:
        load_settings(database_url=secret)
    assert "tulip" not in str(refused.value)
    settings = load_settings(
        database_url=secret, keystore_url=secret, broker_url=secret, database_admin_url=secret
    )
    assert "tulip" not in repr(settings)


def test_private_ranges_are_read_from_a_comma_separated_list(monkeypatch):
    monkeypatch.setenv("PLANHUB_EGRESS_ALLOW", "10.1.0.0/16, fd00:1::/32")
    assert [str(network) for network in load_settings().egress_allow] == ["10.1.0.0/16", "fd00:1::/32"]


@pytest.mark.parametrize("text", ["10.1.0.0/99", "ten", "10.1.2.3/8"])
def test_a_range_that_is_not_one_is_refused_by_name(text):
    with pytest.raises(SettingsError, match="PLANHUB_EGRESS_ALLOW"):
        load_settings(egress_allow=text)


def test_the_decision_is_never_reconsidered_later_than_ten_seconds():
    with pytest.raises(SettingsError, match="PLANHUB_RECONSIDER_AFTER_S"):
        load_settings(reconsider_after_s=11)


def test_relative_paths_are_taken_from_the_folder_of_the_command(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert load_settings(home="hub").home == tmp_path / "hub"


def test_settings_cannot_be_changed_afterwards():
    with pytest.raises(ValidationError, match="frozen"):
        load_settings().port = 1  # type: ignore[misc]  # what the test is about


def test_the_default_home_follows_the_xdg_rule(monkeypatch, tmp_path):
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setenv("HOME", "/home/pat")
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    assert default_home() == Path("/home/pat/.local/share/planhub")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert default_home() == tmp_path / "planhub"
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    assert default_home() == Path("/home/pat/.local/share/planhub")
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert default_home() == Path("/var/lib/planhub")
