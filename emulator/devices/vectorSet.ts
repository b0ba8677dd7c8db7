/** 256 bits, one a vector: the ISR, TMR and IRR of a local APIC (SDM 3A 11.8.4). */
export class VectorSet {
  /** Register n of the eight that software reads. */
  readonly words = new Uint32Array(8);

  /** The highest vector in the set, or -1. */
  get highest(): number {
    for (let word = this.words.length - 1; word >= 0; word--) {
      if (this.words[word] !== 0) return word * 32 + 31 - Math.clz32(this.words[word]);
    }
    return -1;
  }

  has(vector: number): boolean {
    return ((this.words[vector >> 5] >>> (vector & 31)) & 1) !== 0;
  }

  add(vector: number): void {
    this.words[vector >> 5] |= 1 << (vector & 31);
  }

  remove(vector: number): void {
    this.words[vector >> 5] &= ~(1 << (vector & 31));
  }

  clear(): void {
    this.words.fill(0);
  }
}
