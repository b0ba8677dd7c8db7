/**
 * Decides what is compiled, and when: RIP is sampled each time the interpreter has executed a fixed number of
 * instructions, so that the same program always compiles the same pages at the same positions.
 */
import type { Block, Blocks } from '../interpreter/blocks.js';
import { HotPage } from './regionCompiler.js';
import type { RegionCompiler } from './regionCompiler.js';

/** When a page is compiled. */
export interface TieringLimits {
  /** Interpreted instructions between two samples; at least a block's. */
  readonly sample: number;
  /** Samples that make a page hot. */
  readonly hot: number;
  /** Pages compiled together; fewer when some have waited for `longestWait` samples. */
  readonly batch: number;
  readonly longestWait: number;
  /**
   * Instructions that must have been interpreted for each byte of code that is compiled. Compiling a byte takes about as long
   * as interpreting 300 instructions; so at most a fifth of the time goes there, however much code a program has.
   */
  readonly perByte: number;
}

export const DEFAULT_LIMITS: TieringLimits = {
  sample: 20_000,
  hot: 8,
  batch: 8,
  longestWait: 32,
  perByte: 1_500,
};

/** So that short programs have compiled code that can be checked. */
export const CHECK_LIMITS: TieringLimits = { sample: 1_000, hot: 1, batch: 4, longestWait: 2, perByte: 0 };

/** A page that has grown is compiled again, each time only when it costs much more. */
const AGAIN = 4;
const MOST_COMPILATIONS = 6;
/** At least a block's instructions: a chunk can always begin one. */
const SMALLEST_CHUNK = 64;

export class Tiering {
  private left: number;
  private readonly waiting = new Set<HotPage>();
  private waited = 0;
  /** Interpreted instructions that have not been spent on compilation. */
  private credit = 0;
  /** What the hottest waiting page cost when the credit was not enough for it. */
  private needed = 0;

  constructor(
    private readonly blocks: Blocks,
    private readonly compiler: RegionCompiler,
    private readonly limits: TieringLimits = DEFAULT_LIMITS,
  ) {
    this.left = limits.sample;
  }

  /** The most instructions that the interpreter executes before it must come back. */
  get chunk(): number {
    return Math.max(this.left, SMALLEST_CHUNK);
  }

  /** The interpreter has executed so many instructions and is at a record. */
  interpreted(instructions: number, record: number): void {
    this.left -= instructions;
    this.credit += instructions;
    if (this.left > SMALLEST_CHUNK) return;
    const block = this.blocks.blockAt(record);
    if (!block) return;
    this.left = this.limits.sample;
    this.sample(block);
  }

  /** All blocks, and the regions made of them, are void. */
  flush(): void {
    this.left = this.limits.sample;
    this.waiting.clear();
    this.waited = 0;
    this.needed = 0;
    this.compiler.dropAll();
  }

  private sample(block: Block): void {
    const { page } = block;
    page.compiled ??= new HotPage(page, this.compiler);
    const hot = page.compiled as HotPage;
    hot.heat += 1;
    if (this.isDue(hot)) {
      if (![...page.blocks.values()].some(({ isEntered }) => isEntered)) block.isEntered = true;
      this.waiting.add(hot);
    }
    if (this.waiting.size === 0 || this.credit < this.needed) return;
    this.waited += 1;
    if (this.waiting.size < this.limits.batch && this.waited < this.limits.longestWait) return;
    const pages = this.affordable();
    if (pages.length === 0) return;
    this.waited = 0;
    this.compiler.compile(pages);
  }

  /** Takes the hottest of the waiting pages, as many as the credit is enough for. */
  private affordable(): HotPage[] {
    const pages: HotPage[] = [];
    this.needed = 0;
    for (const page of [...this.waiting].sort((a, b) => b.heat - a.heat)) {
      const cost = page.codeBytes * this.limits.perByte;
      if (cost > this.credit) {
        this.needed = cost;
        break;
      }
      this.credit -= cost;
      this.waiting.delete(page);
      pages.push(page);
    }
    return pages;
  }

  private isDue(page: HotPage): boolean {
    if (!page.canCompile || page.compilations >= MOST_COMPILATIONS) return false;
    const { hot } = this.limits;
    if (page.compilations === 0) return page.heat >= hot << page.invalidations;
    return page.heat >= hot * AGAIN ** page.compilations && page.hasGrown;
  }
}
