"""What every other package agrees on: schemas, ids, randomness, plug-ins, errors."""
