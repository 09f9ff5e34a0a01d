"""What mapping.json tells: which experts stand together, and on which crossbar every tile is."""

from dataclasses import dataclass, field

from ir.errors import InputError
from ir.expert import Format
from ir.mapping import Role
from moexbar.report.plain import OPTIONAL, Document

MOST_CORES = 1 << 22  # of a die: its plan is drawn, and its traffic counted, core by core
Spot = tuple[int, int, int]


@dataclass(frozen=True)
class ModelName:
    """The model that was mapped.

    name: of the workload.
    sha256: of the ONNX file.
    """

    name: str
    sha256: str


@dataclass(frozen=True)
class Mesh:
    """The mesh of cores.

    width: cores in a row.
    height: rows.
    """

    width: int
    height: int

    def __post_init__(self) -> None:
        if min(self.width, self.height) < 0 or self.width * self.height > MOST_CORES:
            found = f"{self.width} x {self.height} cores"
            raise InputError("size", f"{found}, expected at most {MOST_CORES}")


@dataclass(frozen=True)
class RegionRow:
    """The cores of one layer, or of several that share peripheral groups, a rectangle of the mesh.

    layer: decoder layer, of several the first.
    x: of its first column.
    y: of its first row.
    width: columns.
    height: rows.
    guests: the other layers; absent where there are none.
    die: that it is on; absent for the first die.
    """

    layer: int
    x: int
    y: int
    width: int
    height: int
    guests: tuple[int, ...] | None = field(default=None, metadata=OPTIONAL)
    die: int | None = field(default=None, metadata=OPTIONAL)


@dataclass(frozen=True)
class DiesRow:
    """How the dies of a chip are joined.

    count: of dies.
    joined: pairs of dies with a link in both directions.
    columns: of a mesh of dies, row by row; 0 of other topologies.
    """

    count: int
    joined: tuple[tuple[int, int], ...]
    columns: int


@dataclass(frozen=True)
class GroupedLayer:
    """The experts of one MoE layer that share peripheral groups.

    layer: decoder layer.
    solver: who grouped them.
    groups: the experts of each; one that stands in several has copies.
    digital: experts whose matrices digital units multiply; only where there are some.
    """

    layer: int
    solver: str
    groups: tuple[tuple[int, ...], ...]
    digital: tuple[int, ...] | None = field(default=None, metadata=OPTIONAL)


@dataclass(frozen=True)
class Spots:
    """Where behind their peripheral groups a block's tiles are, by the kinds that it has.

    Each as [crossbar, first row, first column of cells].

    inner: tiles that are not in the last row or column.
    right: those of the last column.
    bottom: those of the last row.
    corner: the last tile.
    """

    inner: Spot | None = field(default=None, metadata=OPTIONAL)
    right: Spot | None = field(default=None, metadata=OPTIONAL)
    bottom: Spot | None = field(default=None, metadata=OPTIONAL)
    corner: Spot | None = field(default=None, metadata=OPTIONAL)


@dataclass(frozen=True)
class BlockRow:
    """One matrix: its tiles, and the columns of a tensor that it is.

    operator: name in the workload.
    layer: decoder layer.
    role: in its operator; `dense` for a dense matrix or a router's.
    stage: 0 for up, gate and dense, 1 for down.
    expert: routed expert; -1: none's.
    replica: which of the expert's copies, in the order of the groups that hold them; of a matrix
        that is no routed expert's which of its copies.
    shared: shared expert; -1: none's.
    rows: of tiles.
    columns: of tiles.
    pg_start: tile (i, j) is on peripheral group pg_start + j * rows + i; of experts of unlike
        widths with the most rows that any block of the role in the same group has.
    spots: where behind it.
    tensor: name in the file.
    index: on the tensor's expert axis; null where it has none.
    transposed: whether the tensor holds columns as rows.
    shape: inputs and outputs of the matrix.
    start: the tensor's column that is the first.
    step: from one of them to the next.
    format: how crossbars hold its values.
    """

    operator: str
    layer: int
    role: Role
    stage: int
    expert: int
    replica: int
    shared: int
    rows: int
    columns: int
    pg_start: int
    spots: Spots
    tensor: str
    index: int | None
    transposed: bool
    shape: tuple[int, int]
    start: int
    step: int
    format: Format


@dataclass(frozen=True)
class MemberRow:
    """A fire group, which shares peripheral groups with others.

    layer: decoder layer.
    stage: 1 for the second products of experts, else 0.
    group: of a layer its groups of experts come first, then its other matrices in order of the
        model.
    """

    layer: int
    stage: int
    group: int


@dataclass(frozen=True)
class MappingFile(Document):
    """Where every weight tile lives: mapping.json.

    model: that was mapped.
    mesh: of cores, on every die.
    regions: of layers; of one on several dies its home first.
    groups: of experts.
    blocks: every matrix on crossbars.
    pg_core: cores of the peripheral groups in order of their number, as runs [core, groups], core =
        (die * mesh height + y) * mesh width + x.
    dense_copies: of every matrix that is no routed expert's, but for those that multiply the newest
        token alone; left out where each stands once.
    stacks: fire groups that share peripheral groups; left out where none do.
    dies: how they are joined; left out where there is one.
    """

    model: ModelName
    mesh: Mesh
    regions: tuple[RegionRow, ...]
    groups: tuple[GroupedLayer, ...]
    blocks: tuple[BlockRow, ...]
    pg_core: tuple[tuple[int, int], ...]
    dense_copies: int | None = field(default=None, metadata=OPTIONAL)
    stacks: tuple[tuple[MemberRow, ...], ...] | None = field(default=None, metadata=OPTIONAL)
    dies: DiesRow | None = field(default=None, metadata=OPTIONAL)
