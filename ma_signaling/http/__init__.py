"""HTTP on the same port: the REST API and the pages."""
