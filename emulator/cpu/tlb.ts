/**
 * The translation lookaside buffer. Each translation context has two banks, supervisor and user. An entry has two
 * faces: the tags in the linear memory, which the fast path compares, and the rights kept here, which also hold for
 * pages whose tags are withheld (devices, code, watched pages).
 */
import { region, TLB_BANK_SIZE, TLB_BANKS, TLB_ENTRIES, TLB_ENTRY_SIZE, tlbEntry, layout } from './layout.js';
import { Access } from './seams.js';
import type { LinearMemory } from './state.js';

const INDEX_MASK = TLB_ENTRIES - 1;
const ENTRY_WORDS = TLB_ENTRY_SIZE >> 2;
const NO_TAG = -1;

/** One bank: the translations of one context at one privilege. */
export class TlbBank {
  private readonly words: Int32Array;
  private readonly firstWord: number;
  private readonly pageLow = new Int32Array(TLB_ENTRIES);
  private readonly pageHigh = new Int32Array(TLB_ENTRIES);
  private readonly physicalPage = new Int32Array(TLB_ENTRIES);
  private readonly rights = new Uint8Array(TLB_ENTRIES);
  /** Indices used since the last flush: a flush costs what was filled. */
  private readonly used = new Int32Array(TLB_ENTRIES);
  private usedCount = 0;
  /** Entries that hold only while RFLAGS.AC is set under CR4.SMAP. */
  private readonly whileAlignmentFlag: number[] = [];

  /** @param offset byte offset of the bank in the linear memory. */
  constructor(
    memory: LinearMemory,
    readonly offset: number,
  ) {
    this.words = memory.i32;
    this.firstWord = offset >> 2;
    this.words.fill(NO_TAG, this.firstWord, this.firstWord + TLB_ENTRIES * ENTRY_WORDS);
  }

  /** Physical page number of a linear address when all `access` bits (READ, WRITE, EXECUTE) are granted, else -1. */
  lookup(low: number, high: number, access: number): number {
    const index = (low >>> 12) & INDEX_MASK;
    if ((this.rights[index] & access) !== access) return -1;
    if (this.pageLow[index] !== (low & ~0xfff) || this.pageHigh[index] !== high) return -1;
    return this.physicalPage[index];
  }

  /** Are the tags of all `access` bits in the linear memory, so that the fast path makes the access? */
  hasTags(low: number, high: number, access: number): boolean {
    const index = (low >>> 12) & INDEX_MASK;
    const page = low & ~0xfff;
    return (
      ((access & Access.READ) === 0 || this.tagIs(index, tlbEntry.tagRead, page, high)) &&
      ((access & Access.WRITE) === 0 || this.tagIs(index, tlbEntry.tagWrite, page, high)) &&
      ((access & Access.EXECUTE) === 0 || this.tagIs(index, tlbEntry.tagExecute, page, high))
    );
  }

  /**
   * Adds `rights` for a page; what is `withheld` of them gets no tag. Rights that the entry has for the same
   * translation stay.
   */
  insert(
    low: number,
    high: number,
    physicalPage: number,
    rights: number,
    withheld: number,
    onlyWhileAc: boolean,
  ): void {
    const index = (low >>> 12) & INDEX_MASK;
    const page = low & ~0xfff;
    const same =
      this.rights[index] !== 0 &&
      this.pageLow[index] === page &&
      this.pageHigh[index] === high &&
      this.physicalPage[index] === physicalPage;
    if (!same) this.claim(index, page, high, physicalPage);
    this.rights[index] |= rights;
    if (onlyWhileAc) this.noteAlignmentFlag(index);
    const tags = rights & ~withheld;
    if ((tags & Access.READ) !== 0) this.setTag(index, tlbEntry.tagRead, page, high);
    if ((tags & Access.WRITE) !== 0) this.setTag(index, tlbEntry.tagWrite, page, high);
    if ((tags & Access.EXECUTE) !== 0) this.setTag(index, tlbEntry.tagExecute, page, high);
    const word = this.firstWord + index * ENTRY_WORDS;
    this.words[word + (tlbEntry.addend >> 2)] = (region.ram + physicalPage * 4096 - page) | 0;
    this.words[word + (tlbEntry.physicalPage >> 2)] = physicalPage;
  }

  /** Voids the entry of one linear page. */
  flushPage(low: number, high: number): void {
    const index = (low >>> 12) & INDEX_MASK;
    if (this.pageLow[index] === (low & ~0xfff) && this.pageHigh[index] === high) this.clear(index);
  }

  flush(): void {
    for (let i = 0; i < this.usedCount; i++) this.clear(this.used[i]);
    this.usedCount = 0;
    this.whileAlignmentFlag.length = 0;
  }

  private noteAlignmentFlag(index: number): void {
    // Evicted entries leave their index behind: when that gets too much, the old ones go.
    if (this.whileAlignmentFlag.length === TLB_ENTRIES) {
      for (const old of this.whileAlignmentFlag) if (old !== index) this.clear(old);
      this.whileAlignmentFlag.length = 0;
    }
    this.whileAlignmentFlag.push(index);
  }

  /** RFLAGS.AC was cleared: translations that it allowed are void. */
  alignmentFlagCleared(): void {
    for (const index of this.whileAlignmentFlag) this.clear(index);
    this.whileAlignmentFlag.length = 0;
  }

  /** Takes the write tags of a physical page away; the rights stay. */
  withholdWrites(physicalPage: number): void {
    for (let i = 0; i < this.usedCount; i++) {
      const index = this.used[i];
      if (this.physicalPage[index] === physicalPage) this.setTag(index, tlbEntry.tagWrite, NO_TAG, NO_TAG);
    }
  }

  private claim(index: number, page: number, high: number, physicalPage: number): void {
    if (this.rights[index] === 0) this.noteUsed(index);
    this.clear(index);
    this.pageLow[index] = page;
    this.pageHigh[index] = high;
    this.physicalPage[index] = physicalPage;
  }

  /** An index cleared by `flushPage` can come twice: start over from the live ones when the list is full. */
  private noteUsed(index: number): void {
    if (this.usedCount === TLB_ENTRIES) {
      this.usedCount = 0;
      for (let live = 0; live < TLB_ENTRIES; live++) {
        if (this.rights[live] !== 0) this.used[this.usedCount++] = live;
      }
    }
    this.used[this.usedCount++] = index;
  }

  private clear(index: number): void {
    this.rights[index] = 0;
    const word = this.firstWord + index * ENTRY_WORDS;
    this.words.fill(NO_TAG, word, word + (tlbEntry.addend >> 2));
  }

  private tagIs(index: number, tag: number, low: number, high: number): boolean {
    const word = this.firstWord + index * ENTRY_WORDS + (tag >> 2);
    return this.words[word] === low && this.words[word + 1] === high;
  }

  private setTag(index: number, tag: number, low: number, high: number): void {
    const word = this.firstWord + index * ENTRY_WORDS + (tag >> 2);
    this.words[word] = low;
    this.words[word + 1] = high;
  }
}

/** The two banks of a translation context. */
interface Slot {
  readonly supervisor: TlbBank;
  readonly user: TlbBank;
  context: number;
  mode: number;
  lastUse: number;
}

/** All banks. A context keeps its translations while others run, until it is the one used longest ago. */
export class Tlb {
  private readonly slots: Slot[] = [];
  private current: Slot;
  private uses = 0;

  constructor(private readonly memory: LinearMemory) {
    for (let bank = 0; bank < TLB_BANKS; bank += 2) {
      const offset = region.tlb + bank * TLB_BANK_SIZE;
      this.slots.push({
        supervisor: new TlbBank(memory, offset),
        user: new TlbBank(memory, offset + TLB_BANK_SIZE),
        context: bank === 0 ? 0 : -1,
        mode: 0,
        lastUse: 0,
      });
    }
    this.current = this.slots[0];
    this.publish(false);
  }

  get supervisor(): TlbBank {
    return this.current.supervisor;
  }

  get user(): TlbBank {
    return this.current.user;
  }

  /**
   * Makes the banks of a context current and tells the fast path which one to use. True: they were another context's, or
   * their translations are void.
   */
  select(context: number, mode: number, user: boolean): boolean {
    let voided = false;
    if (this.current.context !== context) {
      voided = !this.slots.some((slot) => slot.context === context);
      this.current = this.slotOf(context);
      this.current.lastUse = ++this.uses;
    }
    if (this.current.mode !== mode) {
      flushSlot(this.current);
      this.current.mode = mode;
      voided = true;
    }
    this.publish(user);
    return voided;
  }

  /** Voids the translations of the current context. */
  flush(): void {
    flushSlot(this.current);
  }

  flushAll(): void {
    for (const slot of this.slots) flushSlot(slot);
  }

  flushPage(low: number, high: number): void {
    this.current.supervisor.flushPage(low, high);
    this.current.user.flushPage(low, high);
  }

  /** Takes the write tags of a physical page away in every context. */
  withholdWrites(physicalPage: number): void {
    for (const slot of this.slots) {
      slot.supervisor.withholdWrites(physicalPage);
      slot.user.withholdWrites(physicalPage);
    }
  }

  private slotOf(context: number): Slot {
    let victim = this.slots[0];
    for (const slot of this.slots) {
      if (slot.context === context) return slot;
      if (slot.lastUse < victim.lastUse) victim = slot;
    }
    flushSlot(victim);
    victim.context = context;
    return victim;
  }

  private publish(user: boolean): void {
    const bank = user ? this.current.user : this.current.supervisor;
    this.memory.u32[layout.tlbBank >> 2] = bank.offset;
  }
}

function flushSlot(slot: Slot): void {
  slot.supervisor.flush();
  slot.user.flush();
}
