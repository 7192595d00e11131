"""The configuration: `conf/*.toml` read once, at start, with every fault named at once."""

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
    "DeliveryConfig",
    "GatewayConfig",
    "MatchConfig",
    "RouteConfig",
    "StoreConfig",
    "parse_address",
]
