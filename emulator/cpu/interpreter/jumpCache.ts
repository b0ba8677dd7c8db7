/**
 * The jump cache from the side of TypeScript: generated code looks entries up, here they are made and voided. Each
 * context (mode, breakpoint world, TLB bank) has a generation, so that going from one to another and back keeps both.
 */
import { layout, region } from '../layout.js';
import type { LinearMemory } from '../state.js';
import {
  GENERATION_SHIFT,
  GENERATIONS,
  JUMP_CACHE_ENTRIES,
  JUMP_CACHE_GENERATION,
  jumpCacheEntry,
} from './record.js';

export class JumpCache {
  /** Generation of each context that ran since the last flush. */
  private readonly generations = new Map<string, number>();
  private lastGeneration = 0;
  private context = '';

  constructor(private readonly memory: LinearMemory) {
    this.clear();
    this.use(this.lastGeneration);
  }

  /** Voids every entry of every context. */
  flush(): void {
    this.generations.clear();
    this.use(this.newGeneration());
  }

  /** From now on the entries of this context are found. */
  select(context: string): void {
    this.context = context;
    this.use(this.generations.get(context) ?? this.newGeneration());
  }

  /** A generation that no entry has. */
  private newGeneration(): number {
    this.lastGeneration += 1;
    if (this.lastGeneration === GENERATIONS) this.clear();
    return this.lastGeneration;
  }

  /** Voids every entry: key 0 is RIP 0 of generation 0, which is never used. */
  private clear(): void {
    this.lastGeneration = 1;
    this.generations.clear();
    const first = region.jumpCache >> 2;
    this.memory.i32.fill(0, first, first + (JUMP_CACHE_ENTRIES * jumpCacheEntry.size) / 4);
  }

  private use(generation: number): void {
    this.generations.set(this.context, generation);
    this.memory.u32[(JUMP_CACHE_GENERATION >> 2) + 1] = generation << (GENERATION_SHIFT - 32);
  }

  /** The block at RIP, by its record and its offset in the page, is found from now on. */
  remember(record: number, start: number): void {
    const { i32 } = this.memory;
    const low = i32[layout.rip >> 2];
    const high = i32[(layout.rip >> 2) + 1];
    const hash = low ^ ((low >>> 12) | (high << 20));
    const index = (hash << 1) & (JUMP_CACHE_ENTRIES - 2);
    const entry = (region.jumpCache + index * jumpCacheEntry.size) >> 2;
    // What stood first in the set of two comes second.
    const words = jumpCacheEntry.size >> 2;
    i32.copyWithin(entry + words, entry, entry + words);
    i32[entry + (jumpCacheEntry.key >> 2)] = low;
    i32[entry + (jumpCacheEntry.key >> 2) + 1] = high ^ i32[(JUMP_CACHE_GENERATION >> 2) + 1];
    i32[entry + (jumpCacheEntry.record >> 2)] = record;
    i32[entry + (jumpCacheEntry.start >> 2)] = start;
    i32[entry + (jumpCacheEntry.function >> 2)] = 0;
  }
}
