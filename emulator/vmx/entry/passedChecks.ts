/**
 * VM entries with fields that have passed the checks before: what a hypervisor leaves alone from entry to entry is
 * compared instead of checked again. The processor keeps no copy of a VMCS; this is only a memory of what is valid.
 */
import { region } from '../../cpu/layout.js';
import { Efer, Rflags } from '../../cpu/registerBits.js';
import type { LinearMemory } from '../../cpu/state.js';
import { Primary } from '../controls.js';
import type { VmcsField } from '../fields.js';
import { Field } from '../fields.js';
import type { EntryView } from './rules.js';

/** All fields between two, both included, in the order of the table. */
interface FieldRange {
  readonly first: VmcsField;
  readonly last: VmcsField;
}

/** What the rules read that are no `changing` rules of their stage; RFLAGS.VM and EFER.LMA come on top. */
const compared: readonly FieldRange[] = [
  { first: Field.guestCr0, last: Field.guestDr7 },
  { first: Field.guestEsSelector, last: Field.guestSmbase },
  { first: Field.hostCr0, last: Field.vmEntryInstructionLength },
];

const WORDS_PER_FIELD = 2;
const wordsIn = ({ first, last }: FieldRange): number =>
  ((last.offset - first.offset) >> 2) + WORDS_PER_FIELD;
const SNAPSHOT_WORDS = compared.reduce((sum, range) => sum + wordsIn(range), 0) + 1;

/** VMCSs whose values are remembered. */
const REMEMBERED = 16;

export class PassedChecks {
  private readonly snapshots = new Map<number, Uint32Array>();

  constructor(private readonly memory: LinearMemory) {}

  /** Have all rules but the changing ones passed with the values that this VMCS has now? */
  has(entry: EntryView): boolean {
    const snapshot = this.snapshots.get(entry.vmcs.physicalAddress);
    if (!snapshot || snapshot[0] !== modeOf(entry)) return false;
    const { u32 } = this.memory;
    let at = 1;
    for (const range of compared) {
      const begin = firstWord(entry, range);
      const words = wordsIn(range);
      for (let i = 0; i < words; i++) if (snapshot[at + i] !== u32[begin + i]) return false;
      at += words;
    }
    return true;
  }

  /** All rules have passed. */
  note(entry: EntryView): void {
    // A rule about the TPR threshold reads the virtual-APIC page.
    if ((entry.primary & Primary.useTprShadow) !== 0) return;
    const { physicalAddress } = entry.vmcs;
    let snapshot = this.snapshots.get(physicalAddress);
    if (!snapshot) {
      if (this.snapshots.size >= REMEMBERED) this.snapshots.clear();
      this.snapshots.set(physicalAddress, (snapshot = new Uint32Array(SNAPSHOT_WORDS)));
    }
    snapshot[0] = modeOf(entry);
    let at = 1;
    for (const range of compared) {
      const begin = firstWord(entry, range);
      const words = wordsIn(range);
      snapshot.set(this.memory.u32.subarray(begin, begin + words), at);
      at += words;
    }
  }
}

const firstWord = (entry: EntryView, { first }: FieldRange): number =>
  (region.ram + entry.vmcs.physicalAddress + first.offset) >>> 2;

/** Never 0, which a new snapshot has. */
const modeOf = (entry: EntryView): number =>
  1 | (entry.number(Field.guestRflags) & Number(Rflags.VM)) | (entry.state.efer & Efer.LMA ? 2 : 0);
