"""A chip with crossbars for a part of the experts: what a routing trace tells of it."""
