"""What a design costs, by arithmetic on its blueprint."""

from nextify.costs.count import Cost, LayerCost, SectionCost, cost, count

__all__ = ["Cost", "LayerCost", "SectionCost", "cost", "count"]
