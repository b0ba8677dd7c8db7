/**
 * The hypercall log: a pure function of world switches. A VM exit with the convention's reason opens a call; the next
 * entry of the same VMCS that has moved past the instruction answers it. Columns, so that 100,000 calls stay small.
 */
import type { WorldSwitch } from '../../emulator/machine/worldSwitch.js';
import type { CallingConvention } from './conventions.js';
import { describeResult, SHOWN_INDEXES } from './conventions.js';
import { GENERAL_REGISTERS } from '../../emulator/cpu/layout.js';

const SHOWN = SHOWN_INDEXES.length;

/** One call, with raw values; registers in the order of SHOWN_REGISTERS. */
export interface LoggedCall {
  readonly seq: number;
  readonly position: number;
  readonly virtualNs: number;
  readonly vmcs: number;
  readonly rip: bigint;
  readonly csBase: bigint;
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

const Number_ = { POSITION: 0, CALLED_NS: 1, ANSWERED_NS: 2, VMCS: 3, CPL: 4, BITS: 5, COUNT: 6 } as const;
const Word = { RIP: 0, CS_BASE: 1, CR3: 2, BEFORE: 3, AFTER: 3 + SHOWN, COUNT: 3 + 2 * SHOWN } as const;
const UNANSWERED = -1;

export class HypercallLog {
  private readonly columns = new Columns(Number_.COUNT, Word.COUNT);
  private count = 0;
  /** Row of the open call of each VMCS. */
  private readonly open = new Map<number, number>();
  private readonly numberColumn: number;

  constructor(readonly convention: CallingConvention) {
    this.numberColumn = SHOWN_INDEXES.indexOf(GENERAL_REGISTERS.indexOf(convention.number));
  }

  get length(): number {
    return this.count;
  }

  /** Sequence numbers of calls that have not returned, ascending. */
  get unanswered(): number[] {
    return [...this.open.values()].sort((a, b) => a - b);
  }

  /** The open call of a virtual processor. */
  openCallOf(vmcs: number): LoggedCall | undefined {
    const row = this.open.get(vmcs);
    return row === undefined ? undefined : this.at(row);
  }

  /** Takes a world switch in; answers the call that it opened or closed. */
  observe(event: WorldSwitch): LoggedCall | undefined {
    if (event.exit) {
      const isCall = event.exit.reason === this.convention.exitReason && !event.exit.entryFailure;
      return isCall ? this.begin(event) : undefined;
    }
    const row = this.open.get(event.vmcs);
    if (row === undefined) return undefined;
    // The same instruction again: the call is not answered, the guest makes it anew.
    if (event.rip === this.columns.words[row * Word.COUNT + Word.RIP]) return undefined;
    return this.answer(row, event);
  }

  private begin(event: WorldSwitch): LoggedCall {
    const row = this.open.get(event.vmcs) ?? this.count++;
    this.columns.reserve(this.count);
    const { numbers, words } = this.columns;
    const n = row * Number_.COUNT;
    numbers[n + Number_.POSITION] = event.position;
    numbers[n + Number_.CALLED_NS] = event.virtualNs;
    numbers[n + Number_.ANSWERED_NS] = UNANSWERED;
    numbers[n + Number_.VMCS] = event.vmcs;
    numbers[n + Number_.CPL] = event.cpl;
    numbers[n + Number_.BITS] = event.codeBits === 64 ? 64 : 32;
    const w = row * Word.COUNT;
    words[w + Word.RIP] = event.rip;
    words[w + Word.CS_BASE] = event.csBase;
    words[w + Word.CR3] = event.cr3;
    SHOWN_INDEXES.forEach((index, i) => (words[w + Word.BEFORE + i] = event.registers[index]));
    this.open.set(event.vmcs, row);
    return this.at(row);
  }

  private answer(row: number, event: WorldSwitch): LoggedCall {
    this.columns.numbers[row * Number_.COUNT + Number_.ANSWERED_NS] = event.virtualNs;
    const w = row * Word.COUNT + Word.AFTER;
    SHOWN_INDEXES.forEach((index, i) => (this.columns.words[w + i] = event.registers[index]));
    this.open.delete(event.vmcs);
    return this.at(row);
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
      position: numbers[n + Number_.POSITION],
      virtualNs: numbers[n + Number_.CALLED_NS],
      vmcs: numbers[n + Number_.VMCS],
      rip: words[w + Word.RIP],
      csBase: words[w + Word.CS_BASE],
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
