"""Running stages: the pipeline, fan-outs on Ray, questions to judges."""
