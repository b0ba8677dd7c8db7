/**
 * Several processors of one machine: they take turns, a fixed number of instructions each, so that the same program
 * always runs the same way. There is one engine and one set of predecoded code; a turn exchanges the state page. What
 * is TypeScript state of a processor follows from those bytes, except its local APIC.
 */
import { region, STATE_SIZE, layout } from '../cpu/layout.js';
import type { CoreProcessor } from '../cpu/processor.js';
import { Activity } from '../cpu/registerBits.js';
import type { LinearMemory } from '../cpu/state.js';
import { VmxOperation } from '../vmx/context.js';
import type { Platform } from './platform.js';

/** Instructions of a turn. A processor that waits (PAUSE, HLT) gives the rest away. */
const TURN = 10_000;

/** What decides whether a processor runs, sleeps or can be woken. */
interface TurnState {
  readonly activity: number;
  readonly vmxOperation: number;
  /** Low half of RFLAGS without the arithmetic flags. */
  readonly rflagsSystem: number;
}

export class ProcessorTurns {
  /** Number of the processor whose state is in the state page. */
  current = 0;
  private readonly saved: Uint8Array[];
  /** Position at which the turn is over. */
  private end = TURN;
  /** Processors in a row that had nothing to do. */
  private idle = 0;

  constructor(
    private readonly memory: LinearMemory,
    private readonly processor: CoreProcessor,
    private readonly platform: Platform,
  ) {
    this.saved = platform.apics.map(() => new Uint8Array(STATE_SIZE));
  }

  get count(): number {
    return this.saved.length;
  }

  /** Exchanges the state page. */
  select(number: number): void {
    if (number === this.current) return;
    const page = this.memory.u8.subarray(region.state, region.state + STATE_SIZE);
    this.saved[this.current].set(page);
    page.set(this.saved[number]);
    this.current = number;
    this.platform.selectApic(number);
    this.processor.become(this.platform.apics[number]);
  }

  /** Instructions that the current processor may run now, out of `left`; the next one's turn may begin. */
  grant(left: number): number {
    if (this.count === 1) return left;
    // A trap that the debugger was shown belongs to the current processor.
    if (this.processor.position >= this.end && !this.processor.heldTrap) this.next();
    return Math.min(left, this.end - this.processor.position);
  }

  /** The current processor ran on: what it has done may wake the others. */
  ran(): void {
    this.idle = 0;
  }

  /** The current processor waits for another one: the next one's turn begins. */
  yield(): void {
    this.next();
  }

  /** The current processor has nothing to do. False: none has, and only time can change that. */
  passOn(): boolean {
    this.idle += 1;
    if (this.idle >= this.count) {
      this.idle = 0;
      this.next();
      return false;
    }
    this.next();
    return true;
  }

  private next(): void {
    let number = (this.current + 1) % this.count;
    // Those that certainly sleep are left out; somebody is left, if only the current one.
    while (number !== this.current && this.sleeps(number)) {
      number = (number + 1) % this.count;
      this.idle += 1;
    }
    this.select(number);
    this.end = this.processor.position + TURN;
  }

  /** Does this hold for the state of some processor? */
  some(holds: (state: TurnState) => boolean): boolean {
    return this.saved.some((_, number) => holds(this.stateOf(number)));
  }

  private stateOf(number: number): TurnState {
    const { buffer } = number === this.current ? this.memory.u8 : this.saved[number];
    const view = new DataView(buffer, 0, STATE_SIZE);
    const field = (offset: number): number => view.getUint32(offset - region.state, true);
    return {
      activity: field(layout.activity),
      vmxOperation: field(layout.vmxOperation),
      rflagsSystem: field(layout.rflagsSystem),
    };
  }

  private sleeps(number: number): boolean {
    const { activity, vmxOperation } = this.stateOf(number);
    if (activity === Activity.ACTIVE) return false;
    // In VMX non-root operation the controls decide what wakes it.
    if (vmxOperation === VmxOperation.NON_ROOT) return false;
    const apic = this.platform.apics[number];
    return !apic.nmiPending && !apic.initPending && apic.startupVector < 0 && apic.pendingVector() < 0;
  }
}
