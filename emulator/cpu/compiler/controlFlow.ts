/**
 * The structure of a region's control flow: WebAssembly has loops and blocks to leave, no jumps. A strongly connected
 * set of blocks becomes a loop; without the edges to its entries what is inside is structured the same way.
 */

export interface FlowLoop {
  readonly kind: 'loop';
  /** The blocks that edges from outside the loop lead to: edges to them from inside start the loop again. */
  readonly entries: readonly number[];
  readonly body: FlowSequence;
}
export interface FlowBlock {
  readonly kind: 'block';
  readonly block: number;
}
export type FlowNode = FlowLoop | FlowBlock;

/** Nodes in an order in which edges lead forward only (those to the entries of enclosing loops aside). */
export interface FlowSequence {
  readonly nodes: readonly FlowNode[];
  /** Blocks that control can come to when the sequence starts; with more than one, a variable tells which. */
  readonly starts: readonly number[];
}

type Successors = (block: number) => readonly number[];

/** Strongly connected components in topological order (Tarjan); edges to `ignored` blocks do not count. */
function components(
  blocks: readonly number[],
  successors: Successors,
  ignored: ReadonlySet<number>,
): number[][] {
  const members = new Set(blocks);
  const order = new Map<number, number>();
  const low = new Map<number, number>();
  const stack: number[] = [];
  const stacked = new Set<number>();
  const found: number[][] = [];
  const visit = (block: number): number => {
    const own = order.size;
    let lowest = own;
    order.set(block, own);
    stack.push(block);
    stacked.add(block);
    for (const next of successors(block)) {
      if (!members.has(next) || ignored.has(next)) continue;
      if (!order.has(next)) lowest = Math.min(lowest, visit(next));
      else if (stacked.has(next)) lowest = Math.min(lowest, low.get(next) ?? order.get(next) ?? own);
    }
    low.set(block, lowest);
    if (lowest === own) {
      const component = stack.splice(stack.indexOf(block));
      for (const member of component) stacked.delete(member);
      found.push(component);
    }
    return lowest;
  };
  for (const block of blocks) if (!order.has(block)) visit(block);
  return found.reverse();
}

/**
 * Structures `blocks`, which `starts` lead into. `external`: blocks that a jump from elsewhere in the program can enter
 * at any depth; enclosing loops pass such an entry on.
 */
export function structure(
  blocks: readonly number[],
  successors: Successors,
  starts: readonly number[],
  external: ReadonlySet<number>,
  ignored: ReadonlySet<number> = new Set(),
): FlowSequence {
  const nodes = components(blocks, successors, ignored).map((component): FlowNode => {
    const members = new Set(component);
    const [first] = component;
    const repeats = component.length > 1 || (successors(first).includes(first) && !ignored.has(first));
    if (!repeats) return { kind: 'block', block: first };
    const entries = loopEntries(blocks, members, successors, ignored, starts);
    const inner = new Set([...ignored, ...entries]);
    const entered = new Set([...entries, ...component.filter((block) => external.has(block))]);
    return { kind: 'loop', entries, body: structure(component, successors, [...entered], external, inner) };
  });
  return { nodes, starts };
}

/** Members that edges from other blocks lead to; of a loop that is only entered from elsewhere, its first start. */
function loopEntries(
  blocks: readonly number[],
  members: ReadonlySet<number>,
  successors: Successors,
  ignored: ReadonlySet<number>,
  starts: readonly number[],
): readonly number[] {
  const entries = new Set<number>();
  for (const block of blocks) {
    if (members.has(block)) continue;
    for (const next of successors(block)) if (members.has(next) && !ignored.has(next)) entries.add(next);
  }
  if (entries.size > 0) return [...entries];
  const start = starts.find((block) => members.has(block));
  return [start ?? Math.min(...members)];
}

/** The blocks at which loops start again. */
export function loopHeaders({ nodes }: FlowSequence): readonly number[] {
  return nodes.flatMap((node) => (node.kind === 'loop' ? [...node.entries, ...loopHeaders(node.body)] : []));
}

/** The blocks that can be reached from `starts`, in ascending order. */
export function reachable(starts: readonly number[], successors: Successors): readonly number[] {
  const seen = new Set(starts);
  const work = [...starts];
  for (let block = work.pop(); block !== undefined; block = work.pop()) {
    for (const next of successors(block)) {
      if (seen.has(next)) continue;
      seen.add(next);
      work.push(next);
    }
  }
  return [...seen].sort((a, b) => a - b);
}
