"""A sweep as one page that opens offline: what it found, by the values of its axes."""

from w2sjax.report.contents import contents as contents
from w2sjax.report.page import page as page
