"""Every call to Google: credentials, client libraries, REST. Importing it imports nothing of Google's."""

from fonderie.google.answers import NoCredentialsError, NotFoundError, PermissionDeniedError
from fonderie.google.client import Access, RestClient, google_errors

__all__ = ["Access", "NoCredentialsError", "NotFoundError", "PermissionDeniedError", "RestClient", "google_errors"]
