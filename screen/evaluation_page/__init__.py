"""The page that shows how a crop model did on groups it never saw."""

from screen.evaluation_page.page import render as render
