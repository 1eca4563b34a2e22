"""The service for agents: tools (Model Context Protocol) whose answers carry unit, interval, domain and source."""
