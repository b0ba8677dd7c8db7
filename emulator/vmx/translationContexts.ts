/** Numbers for address spaces (SDM 3C 29.4.1): what TLB entries are tagged with. */

/** The number of VMX root operation and of a processor without virtualization. */
export const ROOT_CONTEXT = 0;

/** Address spaces whose numbers are remembered; the TLB holds fewer. */
const REMEMBERED = 64;

/**
 * Combined mappings are tagged by VPID and EPTP; here each such pair has a number. Invalidating the mappings of a pair
 * is forgetting its number: no TLB entry has the next one.
 */
export class TranslationContexts {
  private readonly numbers = new Map<string, { vpid: number; eptPointer: bigint; number: number }>();
  private next = ROOT_CONTEXT + 1;

  /** The number for the address space of this VPID and EPT pointer (0 without EPT). */
  select(vpid: number, eptPointer: bigint): number {
    const key = `${vpid}:${eptPointer}`;
    const known = this.numbers.get(key);
    if (known) return known.number;
    if (this.numbers.size >= REMEMBERED) this.numbers.clear();
    const number = this.next++;
    this.numbers.set(key, { vpid, eptPointer, number });
    return number;
  }

  /** A number that no TLB entry has: VPID 0000H is flushed at every VM entry (SDM 3C 29.4.3.3). */
  fresh(): number {
    return this.next++;
  }

  /** Mappings of matching address spaces are not used any more. */
  invalidate(matches: (vpid: number, eptPointer: bigint) => boolean): void {
    for (const [key, { vpid, eptPointer }] of this.numbers) {
      if (matches(vpid, eptPointer)) this.numbers.delete(key);
    }
  }
}
