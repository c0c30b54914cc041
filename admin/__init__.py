"""The `aftersales` command: the only place where everything is put together."""
