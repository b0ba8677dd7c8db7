/** What a benchmark run found, as it is written to JSON, and the figures made from it. */

export interface PeerResult {
  readonly name: string;
  readonly title: string;
  /** The peer of Hyperstep's that runs the same binary. */
  readonly against: 'hyperstep' | 'hyperstep-32';
  readonly version: string;
}

export interface Cell {
  /** Seconds a round, one figure a run. */
  readonly runs: readonly number[];
  /** Why there is none: the peer cannot, or failed. */
  readonly absent?: string;
}

export interface RowResult {
  readonly name: string;
  readonly title: string;
  /** Guest instructions a round in the 64-bit program. */
  readonly instructionsARound: number;
  readonly work?: { readonly unit: string; readonly perRound: number };
  /** By name of the peer. */
  readonly cells: Readonly<Record<string, Cell>>;
}

export interface Results {
  readonly date: string;
  readonly processor: string;
  readonly peers: readonly PeerResult[];
  readonly rows: readonly RowResult[];
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** How many times as fast as a peer Hyperstep is: the median of the pairs that ran one after the other. */
export function ratio(row: RowResult, peer: PeerResult): number | undefined {
  const own = row.cells[peer.against]?.runs ?? [];
  const other = row.cells[peer.name]?.runs ?? [];
  const pairs = Math.min(own.length, other.length);
  return pairs === 0 ? undefined : median(Array.from({ length: pairs }, (_, i) => other[i] / own[i]));
}

/** Million guest instructions a second, or what the row counts. */
export function rate(row: RowResult, seconds: number): string {
  if (!row.work) return `${significant(row.instructionsARound / seconds / 1e6)} MIPS`;
  const perSecond = row.work.perRound / seconds;
  if (row.work.unit === 'MB') return `${significant(perSecond)} MB/s`;
  return `${perSecond >= 1e6 ? `${significant(perSecond / 1e6)} M` : `${significant(perSecond / 1e3)} k`}/s`;
}

export function significant(value: number): string {
  if (value >= 100) return value.toFixed(0);
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}
