"""Area efficiency without a program: of a layer, a grouping and the four methods, by counts."""
