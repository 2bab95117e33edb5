"""Laws of mixers as sympy expressions, exponents from points, verdicts on them. No torch."""
