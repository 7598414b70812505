"""The replication: families of policies, studies, the audit of every claim, and the pipeline."""
