/** The opcode maps (SDM 2D appendix A), built from the rows of the instruction table. */
import { instructionRows } from './instructions/index.js';
import type { InstructionRow } from './table.js';

/** What a row's opcode column says, taken apart. */
export interface OpcodePattern {
  readonly row: InstructionRow;
  /** 0: one byte; 1: 0F; 2: 0F 38; 3: 0F 3A. */
  readonly map: 0 | 1 | 2 | 3;
  readonly opcode: number;
  /** Mandatory prefix; NP: none of them; NFx: not F2 and F3; 'any' where they have no such meaning. */
  readonly prefix: 'any' | 'NP' | 'NFx' | 0x66 | 0xf2 | 0xf3;
  readonly rexW: boolean | undefined;
  /** Not with REX.B: 90 is NOP, 41 90 is XCHG R8D, EAX. */
  readonly withoutRexB: boolean;
  readonly operandSize: 2 | 4 | 8 | undefined;
  readonly addressSize: 2 | 4 | 8 | undefined;
  readonly hasModRM: boolean;
  /** ModRM.reg as opcode extension, or -1. */
  readonly extension: number;
  /** The whole ModRM byte as opcode extension, or -1. */
  readonly fixedModRM: number;
  /** ModRM must name memory (true), a register (false) or either. */
  readonly memory: boolean | undefined;
  /** Condition code, or -1. */
  readonly condition: number;
}

const MEMORY_FORMS = new Set(['M', 'Mb', 'Mw', 'Md', 'Mq', 'Mv', 'Mdq', 'Mp', 'Ms', 'My']);
const REGISTER_FORMS = new Set(['Ry', 'Ux', 'Ud', 'Uq']);

interface Draft {
  prefix: OpcodePattern['prefix'];
  rexW: boolean | undefined;
  withoutRexB: boolean;
  operandSize: 2 | 4 | 8 | undefined;
  addressSize: 2 | 4 | 8 | undefined;
  hasModRM: boolean;
  extension: number;
  bytes: number[];
  /** How many opcodes the row stands for: 8 with +r, 16 with +cc. */
  count: 1 | 8 | 16;
}

const SIZES = { '16': 2, '32': 4, '64': 8 } as const;

function parseToken(draft: Draft, token: string, row: InstructionRow): void {
  const size = /^([oa])(16|32|64)$/.exec(token);
  const byte = /^([0-9A-F]{2})(\+r|\+cc)?$/.exec(token);
  const extension = /^\/([0-7r])$/.exec(token);
  if (size) {
    draft[size[1] === 'o' ? 'operandSize' : 'addressSize'] = SIZES[size[2] as keyof typeof SIZES];
  } else if (token === 'NP' || token === 'NFx') {
    draft.prefix = token;
  } else if (token === 'REX.W') {
    draft.rexW = true;
  } else if (token === 'REX.B0') {
    draft.withoutRexB = true;
  } else if (extension) {
    draft.hasModRM = true;
    draft.extension = extension[1] === 'r' ? -1 : Number(extension[1]);
  } else if (byte) {
    const value = parseInt(byte[1], 16);
    const isPrefix = draft.bytes.length === 0 && (value === 0x66 || value === 0xf2 || value === 0xf3);
    if (isPrefix) draft.prefix = value;
    else draft.bytes.push(value);
    if (byte[2]) draft.count = byte[2] === '+r' ? 8 : 16;
  } else {
    throw new Error(`instruction table: ${row.mnemonic}: "${row.opcode}": cannot read "${token}"`);
  }
}

function patternsOf(row: InstructionRow): OpcodePattern[] {
  const draft: Draft = {
    prefix: 'any',
    rexW: undefined,
    withoutRexB: false,
    operandSize: undefined,
    addressSize: undefined,
    hasModRM: false,
    extension: -1,
    bytes: [],
    count: 1,
  };
  for (const token of row.opcode.split(' ')) parseToken(draft, token, row);

  const bytes = draft.bytes;
  let map: OpcodePattern['map'] = 0;
  if (bytes[0] === 0x0f && bytes.length > 1) {
    map = bytes[1] === 0x38 ? 2 : bytes[1] === 0x3a ? 3 : 1;
    bytes.splice(0, map === 1 ? 1 : 2);
  }
  const [opcode, fixedModRM = -1] = bytes;
  const memory = row.operands.some((form) => MEMORY_FORMS.has(form))
    ? true
    : row.operands.some((form) => REGISTER_FORMS.has(form))
      ? false
      : undefined;
  const { prefix, rexW, withoutRexB, operandSize, addressSize, extension, count } = draft;
  const hasModRM = draft.hasModRM || fixedModRM >= 0;
  return Array.from({ length: count }, (_, low) => ({
    row,
    map,
    opcode: opcode + low,
    prefix,
    rexW,
    withoutRexB,
    operandSize,
    addressSize,
    hasModRM,
    extension,
    fixedModRM,
    memory,
    condition: count === 16 ? low : -1,
  }));
}

/** The narrower pattern is tried first: F3 90 before 90, 0F 01 C1 before 0F 01 /0. */
const specificity = (pattern: OpcodePattern): number =>
  (pattern.fixedModRM >= 0 ? 32 : 0) +
  (typeof pattern.prefix === 'number' ? 16 : 0) +
  (pattern.prefix === 'NP' || pattern.prefix === 'NFx' ? 8 : 0) +
  (pattern.rexW === undefined ? 0 : 4) +
  (pattern.operandSize !== undefined || pattern.addressSize !== undefined ? 4 : 0) +
  (pattern.withoutRexB ? 2 : 0) +
  (pattern.extension >= 0 ? 1 : 0);

/** Patterns by `map * 256 + opcode`, the narrowest first. */
export const opcodeMap: readonly (readonly OpcodePattern[])[] = (() => {
  const map: OpcodePattern[][] = Array.from({ length: 4 * 256 }, () => []);
  for (const row of instructionRows) {
    for (const pattern of patternsOf(row)) map[pattern.map * 256 + pattern.opcode].push(pattern);
  }
  for (const patterns of map) patterns.sort((a, b) => specificity(b) - specificity(a));
  return map;
})();
