"""itsm-connector: Azure Monitor alerts to work items in a service desk."""

__version__ = "0.1.0"
