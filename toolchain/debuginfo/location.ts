/** Where a value is. Sizes and offsets of pieces are in bits. */
export type Location =
  | { readonly kind: 'memory'; readonly address: bigint }
  | { readonly kind: 'register'; readonly register: number }
  /** Computed by the debug information: it has no place, so it cannot be assigned. */
  | { readonly kind: 'value'; readonly value: bigint }
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'pieces'; readonly pieces: readonly Piece[] }
  | { readonly kind: 'optimizedOut'; readonly reason: string };

export interface Piece {
  readonly bitSize: number;
  /** The piece's first bit within `location`. */
  readonly bitOffset: number;
  readonly location: Location;
}
