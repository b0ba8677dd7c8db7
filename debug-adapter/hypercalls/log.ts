/**
 * The hypercall log: a pure function of world switches. A VM exit by VMCALL (or by #UD at the other vendor's VMMCALL)
 * opens a call; the entry of the same VMCS with which the guest goes on behind the instruction answers it. An entry at
 * the instruction itself leaves it open: it was interrupted, or rewritten, and is executed again. Columns, so that
 * 100,000 calls stay small.
 */
import { Vector } from '../../emulator/cpu/fault.js';
import { ExitReason } from '../../emulator/vmx/exitReasons.js';
import type { WorldSwitch } from '../../emulator/machine/worldSwitch.js';
import type { CallingConvention } from './conventions.js';
import { describeResult, SHOWN_INDEXES } from './conventions.js';
import { GENERAL_REGISTERS } from '../../emulator/cpu/layout.js';

const SHOWN = SHOWN_INDEXES.length;

const VMMCALL = [0x0f, 0x01, 0xd9];

/** The bytes at a linear address of the guest that a VM exit just left. */
export type ReadGuestCode = (event: WorldSwitch, address: bigint, length: number) => Uint8Array;

/** A linear address in the source line that made the call of a VM exit (callSite.ts). */
export type CallSiteOf = (event: WorldSwitch) => bigint;

/** A call that has not returned. */
interface OpenCall {
  readonly row: number;
  readonly rip: bigint;
  readonly cr3: bigint;
  /** The guest was entered with RIP still at the instruction: it executes it again. */
  restarted: boolean;
}

/** One call, with raw values; registers in the order of SHOWN_REGISTERS. */
export interface LoggedCall {
  readonly seq: number;
  /** The convention's kind, with `-vmmcall` for the other vendor's instruction. */
  readonly kind: string;
  readonly position: number;
  readonly virtualNs: number;
  readonly vmcs: number;
  readonly rip: bigint;
  readonly csBase: bigint;
  /** Linear address in the source line that made the call. */
  readonly callSite: bigint;
  readonly cr3: bigint;
  readonly cpl: number;
  readonly bits: 32 | 64;
  readonly nr: bigint;
  readonly before: readonly bigint[];
  /** Undefined while the guest is blocked in the call. */
  readonly after: readonly bigint[] | undefined;
  readonly answeredNs: number | undefined;
}

/** Growing columns of numbers and of 64-bit words. */
class Columns {
  numbers = new Float64Array(0);
  words = new BigUint64Array(0);

  constructor(
    private readonly numbersPerRow: number,
    private readonly wordsPerRow: number,
  ) {}

  reserve(rows: number): void {
    if (rows * this.numbersPerRow <= this.numbers.length) return;
    const capacity = Math.max(64, rows * 2);
    const numbers = new Float64Array(capacity * this.numbersPerRow);
    const words = new BigUint64Array(capacity * this.wordsPerRow);
    numbers.set(this.numbers);
    words.set(this.words);
    this.numbers = numbers;
    this.words = words;
  }
}

const Number_ = {
  POSITION: 0,
  CALLED_NS: 1,
  ANSWERED_NS: 2,
  VMCS: 3,
  CPL: 4,
  BITS: 5,
  VMMCALL: 6,
  COUNT: 7,
} as const;
const Word = {
  RIP: 0,
  CS_BASE: 1,
  CALL_SITE: 2,
  CR3: 3,
  BEFORE: 4,
  AFTER: 4 + SHOWN,
  COUNT: 4 + 2 * SHOWN,
} as const;
const UNANSWERED = -1;

export class HypercallLog {
  private readonly columns = new Columns(Number_.COUNT, Word.COUNT);
  private count = 0;
  /** Open calls of each VMCS, innermost last: the guest's interrupt handler may call while a call is restarted. */
  private readonly open = new Map<number, OpenCall[]>();
  private readonly numberColumn: number;

  constructor(
    readonly convention: CallingConvention,
    private readonly readCode: ReadGuestCode,
    private readonly callSiteOf: CallSiteOf,
  ) {
    this.numberColumn = SHOWN_INDEXES.indexOf(GENERAL_REGISTERS.indexOf(convention.number));
  }

  get length(): number {
    return this.count;
  }

  /** Sequence numbers of calls that have not returned, ascending. */
  get unanswered(): number[] {
    return [...this.open.values()].flatMap((calls) => calls.map(({ row }) => row)).sort((a, b) => a - b);
  }

  /** The call that the host works on for a virtual processor. */
  openCallOf(vmcs: number): LoggedCall | undefined {
    const call = this.open.get(vmcs)?.findLast(({ restarted }) => !restarted);
    return call && this.at(call.row);
  }

  /** Takes a world switch in; answers the call that it answered. */
  observe(event: WorldSwitch): LoggedCall | undefined {
    if (event.direction === 'entry') return this.enter(event);
    const instruction = this.instructionOf(event);
    if (instruction) this.begin(event, instruction === 'vmmcall');
    return undefined;
  }

  private instructionOf(event: WorldSwitch): 'vmcall' | 'vmmcall' | undefined {
    const { exit } = event;
    if (!exit || exit.entryFailure) return undefined;
    if (exit.reason === this.convention.exitReason) return 'vmcall';
    // The other vendor's instruction is an invalid opcode here; hosts emulate or rewrite it.
    const isInvalidOpcode =
      exit.reason === ExitReason.EXCEPTION_NMI && (exit.interruptionInformation & 0xff) === Vector.UD;
    if (!isInvalidOpcode) return undefined;
    const code = this.readCode(event, event.csBase + event.rip, VMMCALL.length);
    return VMMCALL.every((byte, i) => code[i] === byte) ? 'vmmcall' : undefined;
  }

  private begin(event: WorldSwitch, isVmmcall: boolean): void {
    const calls = this.open.get(event.vmcs) ?? [];
    const again = calls.find(
      ({ restarted, rip, cr3 }) => restarted && rip === event.rip && cr3 === event.cr3,
    );
    if (again) {
      again.restarted = false;
      return;
    }
    const row = this.count++;
    this.columns.reserve(this.count);
    const { numbers, words } = this.columns;
    const n = row * Number_.COUNT;
    numbers[n + Number_.POSITION] = event.position;
    numbers[n + Number_.CALLED_NS] = event.virtualNs;
    numbers[n + Number_.ANSWERED_NS] = UNANSWERED;
    numbers[n + Number_.VMCS] = event.vmcs;
    numbers[n + Number_.CPL] = event.cpl;
    numbers[n + Number_.BITS] = event.codeBits === 64 ? 64 : 32;
    numbers[n + Number_.VMMCALL] = isVmmcall ? 1 : 0;
    const w = row * Word.COUNT;
    words[w + Word.RIP] = event.rip;
    words[w + Word.CS_BASE] = event.csBase;
    words[w + Word.CALL_SITE] = this.callSiteOf(event);
    words[w + Word.CR3] = event.cr3;
    SHOWN_INDEXES.forEach((index, i) => (words[w + Word.BEFORE + i] = event.registers[index]));
    this.open.set(event.vmcs, [...calls, { row, rip: event.rip, cr3: event.cr3, restarted: false }]);
  }

  private enter(event: WorldSwitch): LoggedCall | undefined {
    const calls = this.open.get(event.vmcs);
    const call = calls?.findLast(({ restarted }) => !restarted);
    if (!calls || !call) return undefined;
    if (event.rip === call.rip) {
      call.restarted = true;
      return undefined;
    }
    this.columns.numbers[call.row * Number_.COUNT + Number_.ANSWERED_NS] = event.virtualNs;
    const w = call.row * Word.COUNT + Word.AFTER;
    SHOWN_INDEXES.forEach((index, i) => (this.columns.words[w + i] = event.registers[index]));
    calls.splice(calls.indexOf(call), 1);
    return this.at(call.row);
  }

  /** The call with sequence number `seq`, from 0. Throws RangeError beyond the log. */
  at(seq: number): LoggedCall {
    if (seq < 0 || seq >= this.count) throw new RangeError(`no hypercall ${seq}: there are ${this.count}`);
    const { numbers, words } = this.columns;
    const n = seq * Number_.COUNT;
    const w = seq * Word.COUNT;
    const bits = numbers[n + Number_.BITS] === 64 ? 64 : 32;
    const answeredNs = numbers[n + Number_.ANSWERED_NS];
    const answered = answeredNs !== UNANSWERED;
    const before = [...words.subarray(w + Word.BEFORE, w + Word.BEFORE + SHOWN)];
    return {
      seq,
      kind: this.convention.kind + (numbers[n + Number_.VMMCALL] ? '-vmmcall' : ''),
      position: numbers[n + Number_.POSITION],
      virtualNs: numbers[n + Number_.CALLED_NS],
      vmcs: numbers[n + Number_.VMCS],
      rip: words[w + Word.RIP],
      csBase: words[w + Word.CS_BASE],
      callSite: words[w + Word.CALL_SITE],
      cr3: words[w + Word.CR3],
      cpl: numbers[n + Number_.CPL],
      bits,
      nr: BigInt.asUintN(bits, before[this.numberColumn]),
      before,
      after: answered ? [...words.subarray(w + Word.AFTER, w + Word.AFTER + SHOWN)] : undefined,
      answeredNs: answered ? answeredNs : undefined,
    };
  }

  /** The decoded result of an answered call; null while it is open. */
  resultOf(call: LoggedCall): string | null {
    if (!call.after) return null;
    const column = SHOWN_INDEXES.indexOf(GENERAL_REGISTERS.indexOf(this.convention.result));
    return describeResult(this.convention, call.after[column], call.bits);
  }
}
