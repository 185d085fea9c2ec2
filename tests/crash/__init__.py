"""Killing the service at random moments: what is shared by the short run and the long one."""
