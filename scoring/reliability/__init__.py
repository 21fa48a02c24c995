"""How far judges and annotators can be trusted: agreement, aggregation, bias, noise. Pure numbers."""
