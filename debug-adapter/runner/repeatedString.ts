/** String instructions with a repeat prefix: interruptible, each iteration leaves RIP where it is (SDM 2B, REP). */
import type { Machine } from '../../emulator/machine/machineTypes.js';

const LONGEST = 15;
const REPEATS: readonly number[] = [0xf2, 0xf3];
/** Legacy and REX prefixes (SDM 2A 2.1.1, 2.2.1). */
const isPrefix = (byte: number): boolean =>
  [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3].includes(byte) || (byte & 0xf0) === 0x40;
/** INS, OUTS, MOVS, CMPS, STOS, LODS, SCAS. */
const isString = (byte: number): boolean =>
  (byte >= 0x6c && byte <= 0x6f) || (byte >= 0xa4 && byte <= 0xa7) || (byte >= 0xaa && byte <= 0xaf);

/** Where a machine was set going, to tell later whether all that it did since were iterations of one instruction. */
export class RepeatStart {
  private readonly rip: bigint;
  private readonly rcx: bigint;
  private readonly position: number;

  constructor(private readonly machine: Machine) {
    ({ rip: this.rip, rcx: this.rcx } = machine.state);
    this.position = machine.position;
  }

  /** As the processor's RF flag (SDM 3B 19.3.1.1): a breakpoint at a repeated instruction is hit once, not at each iteration. */
  get isInside(): boolean {
    const { state, position } = this.machine;
    const iterations = position - this.position;
    return (
      iterations > 0 &&
      state.rip === this.rip &&
      this.rcx - state.rcx === BigInt(iterations) &&
      isAtRepeatedString(this.machine)
    );
  }
}

/** Whether the instruction at the processor's RIP is such an instruction. */
function isAtRepeatedString(machine: Machine): boolean {
  const { state } = machine;
  const start = BigInt.asUintN(64, state.csBase + state.rip);
  let repeats = false;
  for (let i = 0; i < LONGEST; i++) {
    const [byte] = machine.readLinear(start + BigInt(i), 1);
    if (byte === undefined) return false;
    if (!isPrefix(byte)) return repeats && isString(byte);
    repeats ||= REPEATS.includes(byte);
  }
  return false;
}
