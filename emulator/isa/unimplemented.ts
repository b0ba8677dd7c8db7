/** Names of the encodings that the manual has and the machine does not execute: x87, MMX, SSE, AVX and later. */
import { unimplementedEncodings } from './unimplementedEncodings.js';

/** What the decoder knows when no row of the instruction table matches. */
export interface UnknownEncoding {
  /** 0: one byte; 1: 0F; 2: 0F 38; 3: 0F 3A. */
  readonly map: 0 | 1 | 2 | 3;
  readonly opcode: number;
  /** F2 or F3, else 66, else 0. */
  readonly prefix: number;
  /** The byte behind the opcode: ModRM. Fetched when it is asked for. */
  readonly modrm: () => number;
  /** The bytes behind that, in order. */
  readonly next: () => number;
}

const MAP_NAMES = ['', '0F ', '0F 38 ', '0F 3A '] as const;
const PREFIX_COLUMNS: readonly number[] = [0, 0x66, 0xf3, 0xf2];

const hex = (byte: number) => byte.toString(16).toUpperCase().padStart(2, '0');

/** Opcodes that have lines with ModRM: only for these it is fetched. */
const withModRM: ReadonlySet<string> = new Set(
  [...unimplementedEncodings.keys()]
    .filter((key) => /[/=]|mem|reg/.test(key))
    .map((key) => key.replace(/ ([/=].*|mem|reg)$/, '')),
);

function lookup(opcode: string, column: number, modrm: () => number): string | undefined {
  const keys = [opcode];
  if (withModRM.has(opcode)) {
    const byte = modrm();
    const kind = byte < 0xc0 ? 'mem' : 'reg';
    const extension = `/${(byte >> 3) & 7}`;
    keys.push(
      `${opcode} =${hex(byte)}`,
      `${opcode} ${extension} ${kind}`,
      `${opcode} ${extension}`,
      `${opcode} ${kind}`,
    );
  }
  for (const key of keys) {
    const name = unimplementedEncodings.get(key)?.[column];
    if (name !== undefined && name !== '-') return name;
  }
  return undefined;
}

/** VEX (SDM 2A 2.3) and EVEX (2.7): the legacy name with a v, or the encoding where there is none. */
function vectorName({ opcode, modrm, next }: UnknownEncoding): string {
  const evex = opcode === 0x62;
  const first = modrm();
  const map = opcode === 0xc5 ? 1 : first & (evex ? 7 : 31);
  const second = opcode === 0xc5 ? first : next();
  if (evex) next();
  const name = `${MAP_NAMES[map] ?? `map ${map} `}${hex(next())}`;
  const column = second & 3;
  const integer = evex ? undefined : lookup(`VEX ${name}`, column, next);
  if (integer !== undefined) return integer;
  // What has no legacy form is named by its encoding.
  const legacy = unimplementedEncodings.get(name)?.[column];
  if (legacy !== undefined && legacy !== '-') return `v${legacy}`;
  return `${evex ? 'EVEX' : 'VEX'} ${name} (AVX${evex ? '-512' : ''})`;
}

/** The manual's name for an encoding without a row, or undefined when the manual has none: #UD. */
export function unimplementedName(encoding: UnknownEncoding): string | undefined {
  const { map, opcode, prefix } = encoding;
  if (map === 0 && (opcode === 0xc4 || opcode === 0xc5 || opcode === 0x62)) return vectorName(encoding);
  const name = `${MAP_NAMES[map]}${hex(opcode)}`;
  const column = PREFIX_COLUMNS.indexOf(prefix);
  return lookup(name, column, encoding.modrm) ?? (map === 0 ? lookup(name, 0, encoding.modrm) : undefined);
}
