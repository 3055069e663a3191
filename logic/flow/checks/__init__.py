"""The static checks: what must hold of a scenario before anybody is called. One module for each subject."""
