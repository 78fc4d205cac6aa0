"""One server for all tests of pages."""

from web_fixtures import site as site
