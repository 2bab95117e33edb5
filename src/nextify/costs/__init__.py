"""What a design costs, by arithmetic on its blueprint."""

from nextify.costs.count import Cost, cost
from nextify.costs.form import Form, Polynomial, Totals, form_of, totals
from nextify.costs.receptive import Span, fields_of, receptive_field
from nextify.costs.walk import PartCost
