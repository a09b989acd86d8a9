# SPDX-License-Identifier: Apache-2.0
"""Order, groups and memory of a network's steps: which run together row by row, and where each value lies."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from mmq_bridge.network.graph import NetworkGraph, NetworkTensor
from mmq_bridge.network.outer_sum import outer_sum
from mmq_bridge.network.steps import RIGHT_SAME, Lowered, NetworkStep, RowView, TensorPlace, Value

STRIP = 2
"""RowView at a time: the products read each weight once for two rows."""
ALIGNMENT = 4
MERGED = "lookup"


@dataclass(eq=False)
class Group:
    """Steps done together, `strip` rows at a time."""

    steps: list[NetworkStep]
    rows: int
    strip: int

    @property
    def cost(self) -> int:
        """Of a strip, roughly in instructions."""
        return self.strip * sum(step.cost for step in self.steps)


@dataclass(eq=False)
class Planned:
    """A network that is ready to be written.

    Attributes
    ----------
    groups : list of Group
    at : dict of Value to int
        Where each computed value begins in the arena.
    scratch : dict of NetworkStep to int
        Where each step's scratch begins.
    rolling : set of Value
        Of these only a strip is kept.
    arena_bytes : int
    graph : NetworkGraph
    places : dict of int to TensorPlace
        Of the file's tensors.
    """

    groups: list[Group]
    at: dict[Value, int]
    scratch: dict[NetworkStep, int]
    rolling: set[Value]
    arena_bytes: int
    graph: NetworkGraph
    places: dict[int, TensorPlace]

    @property
    def steps(self) -> list[NetworkStep]:
        """Every step in order."""
        return [step for group in self.groups for step in group.steps]

    @property
    def inputs(self) -> dict[str, NetworkTensor]:
        """The inputs by name, in alphabetical order: ``features``, ``presence``."""
        return dict(sorted(self.graph.inputs.items()))

    @property
    def outputs(self) -> dict[str, NetworkTensor]:
        """The outputs by task, in the order in which they are wanted."""
        return self.graph.outputs

    def offset(self, tensor: NetworkTensor) -> int:
        """Return where a computed tensor begins in the arena, while it is there."""
        place = self.places[tensor.index]
        return self.at[place.value] + place.offset


def plan(graph: NetworkGraph, lowered: Lowered, *, fused: bool = True) -> Planned:
    """Order the steps, group them and lay the arena out.

    Parameters
    ----------
    graph : NetworkGraph
    lowered : Lowered
        From `mmq_bridge.network.lower.lower`; steps may be merged.
    fused : bool
        If not, every step is on its own and every value is kept to the end: to look at all of them.
    """
    kept = {lowered.places[tensor.index].value for tensor in graph.outputs.values()}
    given = [lowered.places[tensor.index].value for tensor in graph.inputs.values()]
    if not fused:
        groups = [Group([step], step.rows, step.rows) for step in lowered.steps]
        return _laid_out(graph, lowered, _draft(lowered, groups, given, kept, keep_all=True))
    steps = [_smaller(step) for step in _merge_lookups(lowered.steps, kept)]
    orders = [steps, *(_ordered(steps, given, kept, eager) for eager in (0, 1))]
    drafts = [_draft(lowered, _cut(lowered, order, given, kept), given, kept) for order in orders]
    best = min(drafts, key=lambda draft: draft.least_bytes)
    planned = _laid_out(graph, lowered, best)
    _add_outer_sums(planned)
    return replace(planned, groups=_joined(planned.groups))


# Merging.


def _readers(steps: Iterable[NetworkStep]) -> dict[Value, list[NetworkStep]]:
    found: dict[Value, list[NetworkStep]] = defaultdict(list)
    for step in steps:
        for rows in step.reads.values():
            if step not in found[rows.value]:
                found[rows.value].append(step)
    return found


def _writers(steps: Iterable[NetworkStep]) -> dict[Value, list[NetworkStep]]:
    found: dict[Value, list[NetworkStep]] = defaultdict(list)
    for step in steps:
        found[step.output.value].append(step)
    return found


def _merge_lookups(steps: Sequence[NetworkStep], kept: set[Value]) -> list[NetworkStep]:
    """Make one table of two that follow each other, where nobody else reads what lies between."""
    readers, writers = _readers(steps), _writers(steps)
    merged: list[NetworkStep] = []
    gone: set[NetworkStep] = set()
    for step in steps:
        if step in gone:
            continue
        while step.kernel == MERGED and step.output.value not in kept:
            value, following = step.output.value, readers[step.output.value]
            if len(following) != 1 or following[0].kernel != MERGED or len(writers[value]) != 1:
                break
            after = following[0]
            read = after.reads["input"]
            if read.offset or value.size != after.output.value.size or after.rows * read.width != value.size:
                break
            step = _after(step, after)
            gone.add(after)
        merged.append(step)
    return merged


def _after(first: NetworkStep, second: NetworkStep) -> NetworkStep:
    """Return the step whose table is that of `second` after that of `first`."""
    table = second.tables["table"][first.tables["table"].astype(np.int64) + 128]
    source, width = first.reads["input"], second.output.width
    rows = RowView(source.value, source.offset, width, width)
    return NetworkStep(
        MERGED, second.rows, {"input": rows}, second.output, second.fields, {"table": table},
        cost=second.cost, tensor=second.tensor,
    )  # fmt: skip


# Smaller constants.


def _smaller(step: NetworkStep) -> NetworkStep:
    """Return a step of the same bits with fewer bytes of constants, where there is one."""
    return {MERGED: _without_table, "add": _with_summands}.get(step.kernel, lambda same: same)(step)


def _with_summands(step: NetworkStep) -> NetworkStep:
    """Return a sum with tables of its right operand's summands, and scratch for their sums."""
    rows = step.reads["right"]
    if rows.value.data is None or rows.width != rows.length:
        return step
    constant = rows.value.data[rows.offset : rows.offset + step.rows * rows.width]
    found = outer_sum(constant.reshape(step.rows, rows.width))
    if found is None:
        return step
    tables = {"slow": found.slow.reshape(-1), "fast": found.fast.reshape(-1)}
    scratch, cost = STRIP * rows.width, step.cost + 8 * rows.width + 40
    fields = {**step.fields, "period": found.period}
    return replace(step, reads={**step.reads}, tables=tables, scratch=scratch, cost=cost, fields=fields)


def _add_outer_sums(planned: Planned) -> None:
    """Put a step that makes an operand's rows, a strip at a time, before each that has tables for it."""
    for group in planned.groups:
        for number, step in reversed(list(enumerate(group.steps))):
            if step.kernel == "add" and step.tables:
                width = step.reads["right"].width
                rows = RowView(Value(width * STRIP), 0, width, width)
                fields = {"count": width, "period": step.fields["period"]}
                planned.at[rows.value] = planned.scratch[step]
                planned.rolling.add(rows.value)
                step.reads["right"] = rows
                made = NetworkStep("outer", step.rows, {}, rows, fields, step.tables, tensor=-1)
                group.steps.insert(number, made)


def _without_table(step: NetworkStep) -> NetworkStep:
    """Return a step that multiplies, where a table only shifts or mirrors what it is given."""
    table, given = step.tables["table"].astype(np.int64), np.arange(-128, 128)
    at_zero = int(table[128])
    for slope in (1, -1):
        if np.array_equal(table, np.clip(slope * given + at_zero, -128, 127)):
            factor = RowView(Value(1, np.array([4 * slope], np.int8)), 0, 0, 1, whole=step.rows > 1)
            scaling = {"multiplier": 1 << 30, "shift": 1, "zero_point": at_zero, "low": -128, "high": 127}
            return NetworkStep(
                "multiply", step.rows, {"left": step.reads["input"], "right": factor}, step.output,
                {"count": step.fields["count"], "ways": RIGHT_SAME, **scaling},
                cost=20 * step.fields["count"] + 40, tensor=step.tensor,
            )  # fmt: skip
    return step


# Order.


def _ordered(
    steps: Sequence[NetworkStep], given: Sequence[Value], kept: set[Value], eager: int
) -> list[NetworkStep]:
    """Return an order in which few values are alive at once: what a group can go on with comes first.

    `eager` 1 prefers what frees most, 0 what adds least, which differ where a step frees several.
    """
    readers, writers = _readers(steps), _writers(steps)
    left = {value: set(found) for value, found in readers.items()}
    unwritten = {value: set(found) for value, found in writers.items()}
    todo, ordered = list(steps), []
    while todo:
        ready = [step for step in todo if all(not unwritten.get(rows.value) for rows in step.reads.values())]
        last = ordered[-1] if ordered else None
        best = min(
            ready, key=lambda step: (*_price(step, last, left, writers, kept, eager), todo.index(step))
        )
        todo.remove(best)
        ordered.append(best)
        unwritten[best.output.value].discard(best)
        for rows in best.reads.values():
            left[rows.value].discard(best)
    return ordered


def _price(
    step: NetworkStep,
    last: NetworkStep | None,
    left: dict[Value, set[NetworkStep]],
    writers: dict[Value, list[NetworkStep]],
    kept: set[Value],
    eager: int,
) -> tuple[int, int]:
    freed = sum(
        value.size
        for value in {rows.value for rows in step.reads.values()}
        if value.data is None and value not in kept and left[value] == {step}
    )
    added = step.output.value.size // len(writers[step.output.value])
    follows = (
        last is not None
        and last.rows == step.rows > 1
        and any(rows.value is last.output.value and not rows.whole for rows in step.reads.values())
    )
    return (not follows, added - freed) if eager else (added - freed, not follows)


def _cut(
    lowered: Lowered, steps: Sequence[NetworkStep], given: Sequence[Value], kept: set[Value]
) -> list[Group]:
    """Group steps, cut groups where that saves memory: a value that outlives its group is kept as a whole."""
    breaks: set[NetworkStep] = set()
    best = _draft(lowered, _grouped(steps, breaks), given, kept)
    while True:
        inner = [step for group in best.groups for step in group.steps[1:]]
        drafts = [(step, _draft(lowered, _grouped(steps, breaks | {step}), given, kept)) for step in inner]
        step, draft = min(drafts, key=lambda one: one[1].least_bytes, default=(None, best))
        if step is None or draft.least_bytes >= best.least_bytes:
            return best.groups
        breaks.add(step)
        best = draft


def _grouped(steps: Sequence[NetworkStep], breaks: set[NetworkStep]) -> list[Group]:
    """Put a step to the one before where it goes on, row by row, with what that made."""
    groups: list[Group] = []
    for step in steps:
        group = groups[-1] if groups else None
        if group is not None and step not in breaks and _joins(step, group):
            group.steps.append(step)
        else:
            groups.append(Group([step], step.rows, step.rows))
    for group in groups:
        if len(group.steps) > 1 or any(step.scratch for step in group.steps):
            group.strip = min(STRIP, group.rows)
    return groups


def _joins(step: NetworkStep, group: Group) -> bool:
    """Whether a step can run strip by strip behind a group's: it reads their rows as they were written."""
    if step.rows != group.rows or step.rows == 1:
        return False
    made = {earlier.output.value: earlier.output for earlier in group.steps}
    joined = False
    for rows in step.reads.values():
        output = made.get(rows.value)
        if output is None:
            continue
        if rows.whole or (rows.offset, rows.width) != (output.offset, output.width):
            return False
        joined = True
    # Whoever reads a value as a whole needs it as it was: rows of it must not be overwritten before.
    if any(rows.value is step.output.value for other in group.steps for rows in other.reads.values()):
        return False
    return joined


# Memory.


@dataclass(eq=False)
class _Block:
    """Bytes that are needed from one step to another, both included."""

    size: int
    first: int
    last: int
    values: list[Value] = field(default_factory=list)
    step: NetworkStep | None = None
    at: int = 0


@dataclass(eq=False)
class _Draft:
    """Groups, and the bytes they need before these have their places."""

    groups: list[Group]
    rolling: set[Value]
    blocks: list[_Block]

    @property
    def least_bytes(self) -> int:
        """The most bytes that are needed at once: no arena is smaller."""
        needed = [0] * (max(block.last for block in self.blocks) + 1)
        for block in self.blocks:
            for time in range(block.first, block.last + 1):
                needed[time] += block.size + -block.size % ALIGNMENT
        return max(needed)


def _draft(
    lowered: Lowered,
    groups: list[Group],
    given: Sequence[Value],
    kept: set[Value],
    *,
    keep_all: bool = False,
) -> _Draft:
    steps = [step for group in groups for step in group.steps]
    rolling: set[Value] = set() if keep_all else _rolling(groups, kept)
    return _Draft(groups, rolling, _blocks(groups, steps, given, kept, rolling, keep_all))


def _laid_out(graph: NetworkGraph, lowered: Lowered, draft: _Draft) -> Planned:
    size = _place(draft.blocks)
    at = {value: block.at for block in draft.blocks for value in block.values}
    scratch = {block.step: block.at for block in draft.blocks if block.step is not None}
    return Planned(draft.groups, at, scratch, draft.rolling, size, graph, lowered.places)


def _joined(groups: Sequence[Group]) -> list[Group]:
    """Make one group of neighbours that do all their rows at once, if none gets longer than the longest."""
    longest = max(group.cost for group in groups)
    found: list[Group] = []
    for group in groups:
        last = found[-1] if found else None
        whole = last is not None and last.rows == last.strip == group.rows == group.strip
        if last is not None and whole and last.cost + group.cost <= longest:
            found[-1] = Group([*last.steps, *group.steps], group.rows, group.rows)
        else:
            found.append(group)
    return found


def _rolling(groups: Sequence[Group], kept: set[Value]) -> set[Value]:
    """Return the values that no group but their own reads."""
    home: dict[Value, set[int]] = defaultdict(set)
    for number, group in enumerate(groups):
        for step in group.steps:
            for rows in (step.output, *step.reads.values()):
                home[rows.value].add(number)
    return {
        value
        for group in groups
        if len(group.steps) > 1
        for step in group.steps
        if (value := step.output.value) not in kept and len(home[value]) == 1
    }


def _blocks(
    groups: Sequence[Group],
    steps: Sequence[NetworkStep],
    given: Sequence[Value],
    kept: set[Value],
    rolling: set[Value],
    keep_all: bool,
) -> list[_Block]:
    spans, number = {}, 0
    for group in groups:
        for step in group.steps:
            spans[step] = number, number + len(group.steps) - 1
        number += len(group.steps)
    order = {step: index for index, step in enumerate(steps)}
    strips = {step: group.strip for group in groups for step in group.steps}
    blocks: dict[Value, _Block] = {value: _Block(value.size, 0, 0, [value]) for value in given}
    for step in steps:
        for rows in (step.output, *step.reads.values()):
            value = rows.value
            if value.data is not None:
                continue
            first, last = (order[step],) * 2 if value in rolling else spans[step]
            if value not in blocks:
                size = strips[step] * step.output.width if value in rolling else value.size
                blocks[value] = _Block(size, first, last, [value])
            blocks[value].first = min(blocks[value].first, first)
            blocks[value].last = max(blocks[value].last, last)
    for value in kept:
        blocks[value].last = len(steps)
    if keep_all:
        for block in blocks.values():
            block.last = len(steps)
    else:
        _share(groups, blocks, rolling, order, spans)
    found = list(dict.fromkeys(blocks.values()))
    found += [_Block(step.scratch, order[step], order[step], step=step) for step in steps if step.scratch]
    return found


IN_PLACE = frozenset(
    {"add", "multiply", "lookup", "softmax", "dense", "product_by_rows", "product_by_columns"}
)
"""Kernels that may write a row over the one they read: they read it, or the element, first."""


def _share(
    groups: Sequence[Group],
    blocks: dict[Value, _Block],
    rolling: set[Value],
    order: dict[NetworkStep, int],
    spans: dict[NetworkStep, tuple[int, int]],
) -> None:
    """Let a step write over rows that its group has read for the last time."""
    for group in groups:
        for number, step in enumerate(group.steps):
            read = [rows for earlier in group.steps[: number + 1] for rows in earlier.reads.values()]
            for rows in reversed(read):
                if _may_share(group, step, rows, blocks, rolling, order, spans):
                    old, new = blocks[rows.value], blocks[step.output.value]
                    old.first, old.last = min(old.first, new.first), max(old.last, new.last)
                    old.values += new.values
                    for value in new.values:
                        blocks[value] = old
                    break


def _may_share(
    group: Group,
    step: NetworkStep,
    rows: RowView,
    blocks: dict[Value, _Block],
    rolling: set[Value],
    order: dict[NetworkStep, int],
    spans: dict[NetworkStep, tuple[int, int]],
) -> bool:
    value, target, output = rows.value, step.output.value, step.output
    if value.data is not None or value is target or blocks[value] is blocks[target] or rows.whole:
        return False
    if (value in rolling) != (target in rolling) or blocks[value].size != blocks[target].size:
        return False
    if (rows.offset, rows.width, rows.length) != (output.offset, output.width, output.length):
        return False
    if rows.length != rows.width or value.size != target.size:
        return False
    old, new = set(blocks[value].values), set(blocks[target].values)
    for other in group.steps:
        if other.output.value in new and order[other] < order[step]:
            return False
        if other.output.value in old and order[other] >= order[step]:
            return False
        for read in other.reads.values():
            if read.value in old and (
                read.whole
                or order[other] > order[step]
                or (read.offset, read.width, read.length) != (rows.offset, rows.width, rows.length)
                or (other is step and step.kernel not in IN_PLACE)
            ):
                return False
    if value in rolling:
        return blocks[value].last <= order[step] == blocks[target].first
    return blocks[value].last == spans[step][1] and blocks[target].first == spans[step][0]


def _place(blocks: list[_Block]) -> int:
    """Give every block its place; return the bytes of all. Several orders are tried, the least wins."""
    orders = [
        sorted(blocks, key=lambda b: (-b.size, b.first)),
        sorted(blocks, key=lambda b: (b.first - b.last, -b.size)),
        sorted(blocks, key=lambda b: (-(b.last - b.first + 1) * b.size, b.first)),
        sorted(blocks, key=lambda b: (b.first, -b.size)),
    ]
    rng = np.random.default_rng(0)
    for _ in range(60):
        weights = rng.uniform(0.6, 1.4, len(blocks))
        keyed = {block: weight * block.size for block, weight in zip(blocks, weights, strict=True)}
        orders.append(sorted(blocks, key=lambda b: (-keyed[b], b.first)))
    best: tuple[int, dict[_Block, int]] | None = None
    for ordering in orders:
        size = _place_in_order(ordering)
        if best is None or size < best[0]:
            best = size, {block: block.at for block in blocks}
    assert best is not None
    for block, at in best[1].items():
        block.at = at
    return best[0]


def _place_in_order(blocks: Sequence[_Block]) -> int:
    done: list[_Block] = []
    for block in blocks:
        at = 0
        for other in sorted(done, key=lambda b: b.at):
            if other.last < block.first or block.last < other.first:
                continue
            if at + block.size <= other.at:
                break
            at = max(at, other.at + other.size + -other.size % ALIGNMENT)
        block.at = at
        done.append(block)
    return max((block.at + block.size + -block.size % ALIGNMENT for block in done), default=0)
