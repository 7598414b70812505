"""The reference policy: outcome by outcome, or by its parameters."""
