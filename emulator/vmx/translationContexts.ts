/** Small numbers for address spaces (SDM 3C 29.4.1): what TLB entries are tagged with. */

/** The number of VMX root operation and of a processor without virtualization. */
export const ROOT_CONTEXT = 0;
/** How many guest address spaces can have cached translations at once. */
export const GUEST_CONTEXTS = 3;

interface Slot {
  vpid: number;
  eptPointer: bigint;
  /** Nothing of it may be used before a flush. */
  stale: boolean;
}

/** A guest's address space as VM entry selects it. */
export interface SelectedContext {
  readonly context: number;
  /** The number was another address space's, or was invalidated: flush before use. */
  readonly flush: boolean;
}

/** Combined mappings are tagged by VPID and EPTP; here each pair has a number while it is among the last few used. */
export class TranslationContexts {
  private readonly slots: Slot[] = [];
  private nextVictim = 0;

  /** The number for the address space of this VPID (0 without VPIDs) and EPT pointer (0 without EPT). */
  select(vpid: number, eptPointer: bigint): SelectedContext {
    let index = this.slots.findIndex((slot) => slot.vpid === vpid && slot.eptPointer === eptPointer);
    if (index < 0) {
      index = this.slots.length < GUEST_CONTEXTS ? this.slots.length : this.nextVictim;
      this.nextVictim = (index + 1) % GUEST_CONTEXTS;
      this.slots[index] = { vpid, eptPointer, stale: true };
    }
    const slot = this.slots[index];
    const flush = slot.stale;
    slot.stale = false;
    return { context: index + 1, flush };
  }

  /** Mappings of matching address spaces are not used any more. */
  invalidate(matches: (vpid: number, eptPointer: bigint) => boolean): void {
    for (const slot of this.slots) {
      if (matches(slot.vpid, slot.eptPointer)) slot.stale = true;
    }
  }
}
