"""What probes found of networks, side by side: table, figures, page."""

from nextify.report.probes.content import About, ProbedNetwork, ProbesContent
