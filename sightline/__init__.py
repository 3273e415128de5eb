"""The Python client: `sightline.client.Client` and `sightline.async_client.AsyncClient`."""
