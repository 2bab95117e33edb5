"""A word-level next-word model, with attention and with recurrence as its mixer.

`text`, `vocabulary`, `ngrams`, `settings` and `results` are plain arithmetic; `model`, `training`,
`speed` and `experiment` are torch.
"""
