"""docker-compose.yml: every container is confined, and the demonstration needs no secrets."""

import re
from typing import Any

import pytest
import yaml

from tools.release import check_compose
from tools.wheel import ROOT

TEXT = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
# What MongoDB's entrypoint needs to give its files to its own user, and to become that user.
CAPABILITIES = {"CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"}


def started(profile: str) -> dict[str, dict[str, Any]]:
    return {name: service for name, service in SERVICES.items() if profile in service.get("profiles", [profile])}


@pytest.mark.parametrize("name", SERVICES)
def test_container_is_confined(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert any(path.split(":")[0] == "/tmp" for path in service["tmpfs"])  # noqa: S108
    assert service["cap_drop"] == ["ALL"]
    assert set(service.get("cap_add", ())) <= (CAPABILITIES if "mongodb" in name else set())
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["mem_limit"]
    assert service["pids_limit"]
    assert not {"privileged", "network_mode", "pid"} & set(service)


@pytest.mark.parametrize("name", SERVICES)
def test_ports_are_published_on_this_machine_only(name: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", ()))


@pytest.mark.parametrize("name", ["gateway", "demo-gateway"])
def test_health_check_asks_the_configured_port(name: str) -> None:
    service = SERVICES[name]
    assert "CARILLON_PORT" in service["environment"]
    check = " ".join(service["healthcheck"]["test"])
    assert "CARILLON_PORT" in check
    assert "/readyz" in check
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert "CARILLON_PORT" in dockerfile.split("HEALTHCHECK")[1].split("\nCMD")[0]


def test_gateway_has_its_own_database_user() -> None:
    url = SERVICES["gateway"]["environment"]["CARILLON_MONGODB_URL"]
    user = re.match(r"mongodb://([^:]+):", url)
    assert user is not None
    assert user[1] != SERVICES["mongodb-1"]["environment"]["MONGO_INITDB_ROOT_USERNAME"]
    assert "authSource=carillon" in url
    setup = " ".join(SERVICES["mongodb-setup"]["command"])
    assert f'"{user[1]}"' in setup
    assert set(re.findall(r'role: "(\w+)"', setup)) == {"readWrite", "dbAdmin"}
    assert "MONGODB_PASSWORD" not in SERVICES["gateway"]["environment"]


def test_demonstration_needs_no_secrets() -> None:
    demo, production = started("demo"), started("production")
    assert not set(demo) & set(production)
    for service in demo.values():
        assert "secrets" not in service
        assert set(service.get("depends_on", ())) <= set(demo)
        assert not re.search(r"PASSWORD|JWKS|JWT", str(service))
    # A variable that is required anywhere is required by every profile.
    assert not re.search(r"(?<!\$)\$\{[A-Z_]+:?\?", TEXT)


def test_demonstration_applies_a_programme_and_prints_tokens() -> None:
    command = " ".join(SERVICES["demo-gateway"]["command"])
    assert "carillon programme apply" in command
    assert "carillon token" in command
    assert "exec carillon serve" in command


@pytest.mark.parametrize("name", [name for name in SERVICES if "mongodb" in name and not name.endswith("setup")])
def test_no_mongod_offers_zlib(name: str) -> None:
    assert "--networkMessageCompressors snappy,zstd" in str(SERVICES[name])


def test_every_service_belongs_to_a_profile() -> None:
    assert {profile for service in SERVICES.values() for profile in service["profiles"]} == {"demo", "production"}
    assert check_compose(ROOT)[-1] == "gateway"
