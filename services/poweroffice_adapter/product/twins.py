"""Whether a product of Go is what a create would make a second time. Pure.

The rules are those by which the linker matches records: the code, else the name.
"""

from contracts.entities import Product
from contracts.values import natural


def has_marks(ours: Product) -> bool:
    """Whether a product holds anything by which a twin would be recognised."""
    return bool(ours.code or ours.name)


def same_product(ours: Product, seen: Product) -> bool:
    """Whether the product to be created is the one that Go holds."""
    name = natural(ours.name)
    return bool(ours.code and ours.code == seen.code) or (
        name is not None and name == natural(seen.name)
    )
