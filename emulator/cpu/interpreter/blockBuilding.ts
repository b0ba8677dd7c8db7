/** Decodes the instructions of a block. */
import type { Decoded } from '../../isa/decoder.js';
import { decode, isInstruction } from '../../isa/decoder.js';
import type { Instruction } from '../../isa/instruction.js';
import type { Fault } from '../fault.js';
import { generalProtection, invalidOpcode } from '../fault.js';
import { region } from '../layout.js';
import { branches } from '../semantics/semantics.js';
import type { LinearMemory } from '../state.js';
import { PAGE_SIZE as PAGE } from '../state.js';
import type { CodeContext } from './blocks.js';
import { semanticsName } from './shapeOf.js';

/** A 64-bit number from its halves. */
export const joined = (low: number, high: number): bigint => (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);

/** Why a record leaves to TypeScript. */
export type RecordEvent =
  | { readonly kind: 'cold'; readonly instruction: Instruction }
  | { readonly kind: 'fault'; readonly fault: Fault }
  | { readonly kind: 'unimplemented'; readonly name: string }
  | { readonly kind: 'breakpoint' };

/** Where code is: RIP and linear address in halves, as int32. */
export interface CodeLocation {
  readonly context: CodeContext;
  readonly ripLow: number;
  readonly ripHigh: number;
  readonly linearLow: number;
  readonly linearHigh: number;
  readonly physical: number;
}

/** Branches that can go on at the next instruction. */
export const FALLS_THROUGH = new Set(['jcc', 'loop', 'loope', 'loopne', 'jcxz']);

export const isBranch = (instruction: Instruction) =>
  branches.has(semanticsName(instruction)) || instruction.repeat !== 'none';

export function eventOf(decoded: Exclude<Decoded, 'unfetchable'>): RecordEvent | undefined {
  if (decoded === 'invalid') return { kind: 'fault', fault: invalidOpcode() };
  if (decoded === 'tooLong') return { kind: 'fault', fault: generalProtection() };
  if ('unimplemented' in decoded) return { kind: 'unimplemented', name: decoded.unimplemented };
  if (decoded.row.semantics === 'undefined') return { kind: 'fault', fault: invalidOpcode() };
  return decoded.row.kind === 'cold' ? { kind: 'cold', instruction: decoded } : undefined;
}

/** Decodes instruction after instruction of one page. */
export class BlockBuilding {
  /** Offset in the page behind what was decoded; beyond the page after a crossing instruction. */
  end: number;
  /** Physical page of the rest of a crossing instruction, or -1. */
  secondPage = -1;
  readonly pageRip: bigint;
  private readonly pageBytes: number;

  constructor(
    private readonly memory: LinearMemory,
    readonly location: CodeLocation,
    private readonly findSecondPage: () => number,
  ) {
    this.end = location.physical & (PAGE - 1);
    this.pageRip = joined(location.ripLow, location.ripHigh) - BigInt(this.end);
    this.pageBytes = region.ram + location.physical - this.end;
  }

  /** Only the first instruction of a block may cross into the next page; others answer 'unfetchable'. */
  next(mayCross: boolean): Decoded {
    const { u8 } = this.memory;
    const start = this.end;
    const fetch = (offset: number): number => {
      const at = start + offset;
      if (at < PAGE) return u8[this.pageBytes + at];
      if (!mayCross) return -1;
      if (this.secondPage < 0) this.secondPage = this.findSecondPage();
      return this.secondPage < 0 ? -1 : u8[region.ram + this.secondPage * PAGE + at - PAGE];
    };
    const { width } = this.location.context.mode;
    const rip = this.pageRip + BigInt(start);
    const decoded = decode(fetch, BigInt.asUintN(width === 64 ? 64 : 32, rip), width);
    if (decoded !== 'unfetchable') this.end += isInstruction(decoded) ? decoded.length : 1;
    return decoded;
  }
}
