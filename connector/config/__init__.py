"""The configuration: `conf/*.toml` read once, at start, with every fault named at once."""

from connector.config.faults import ConfigError, Fault
from connector.config.loading import load
from connector.config.sections import (
    AuthConfig,
    Config,
    DeliveryConfig,
    GatewayConfig,
    MatchConfig,
    RouteConfig,
    StoreConfig,
    parse_address,
)

__all__ = [
    "AuthConfig",
    "Config",
    "ConfigError",
    "DeliveryConfig",
    "Fault",
    "GatewayConfig",
    "MatchConfig",
    "RouteConfig",
    "StoreConfig",
    "load",
    "parse_address",
]
