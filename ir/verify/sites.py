"""The regions that a mapping has on its dies."""

from ir.mapping import Mapping


def sites_of(mapping: Mapping) -> list[tuple[int, int, bool]]:
    """(layer, die, whether it is the layer's home) of every region, layer by layer."""
    seen, out = set[int](), list[tuple[int, int, bool]]()
    for region in mapping.placement.regions:
        for layer in region.layers:
            out.append((layer, region.die, layer not in seen))
            seen.add(layer)
    return sorted(out, key=lambda site: site[:2])
