"""The policies of the replication: families with parameters, and an enumerated language model."""
