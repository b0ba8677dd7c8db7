/** Compiles pages of hot code, several to a WebAssembly module, and forgets what is no longer true. */
import { ModuleBuilder } from '../../wasm/moduleBuilder.js';
import type { Block, Blocks, CompiledPage, LinearPage } from '../interpreter/blocks.js';
import { JUMP_CACHE_ENTRIES, jumpCacheEntry } from '../interpreter/record.js';
import { ANY_MEMORY } from '../interpreter/switchModule.js';
import { region } from '../layout.js';
import { importHelpers } from '../semantics/helpers.js';
import type { LinearMemory } from '../state.js';
import { buildRegion, recordOf } from './regionFunction.js';
import { ENTRY_TABLE_SIZE, NO_ENTRY, RegionMemory, site } from './regionLayout.js';
import type { RegionPlan } from './regionPlan.js';
import { isCompilableMode, planRegions } from './regionPlan.js';

/** V8 keeps code, and each module's mappings, for as long as one of its functions is reachable. */
const MOST_LIVE_MODULES = 5000;
/** Rather more sites than any region has. */
const SITES_FOR_A_REGION = 16_384;
/** A page whose code was written so often stays in the interpreter. */
const MOST_INVALIDATIONS = 6;

/** What has been compiled together. */
interface LiveModule {
  regions: number;
}

/** Compiled code of a page, or of a part of it. */
interface Region {
  readonly functionIndex: number;
  readonly module: LiveModule;
  readonly entries: readonly Block[];
  readonly entryTable: number;
}

/** What is about to become a region. */
interface PlannedRegion {
  readonly page: HotPage;
  readonly plan: RegionPlan;
  readonly entryTable: number;
}

/** What is known of a page that was found hot. */
export class HotPage implements CompiledPage {
  /** Samples since it was compiled. */
  heat = 0;
  /** How often it was compiled, and how often that was undone by writes into its code. */
  compilations = 0;
  invalidations = 0;
  /** Blocks, and blocks entered by RIP, when it was compiled last. */
  blocksThen = 0;
  enteredThen = 0;
  regions: readonly Region[] = [];

  constructor(
    readonly page: LinearPage,
    private readonly compiler: RegionCompiler,
  ) {}

  invalidate(): void {
    this.invalidations += 1;
    this.heat = 0;
    this.compilations = 0;
    this.compiler.drop(this);
  }

  get canCompile(): boolean {
    return this.invalidations <= MOST_INVALIDATIONS && isCompilableMode(this.page.context.mode);
  }

  private get entered(): number {
    let count = 0;
    for (const block of this.page.blocks.values()) if (block.isEntered) count += 1;
    return count;
  }

  /** Length of the code that has run in the page. */
  get codeBytes(): number {
    let bytes = 0;
    for (const { length } of this.page.blocks.values()) bytes += length;
    return bytes;
  }

  noteCompiled(): void {
    this.compilations += 1;
    this.heat = 0;
    this.blocksThen = this.page.blocks.size;
    this.enteredThen = this.entered;
  }

  /** Has code run in the page since that its region does not have? */
  get hasGrown(): boolean {
    return this.page.blocks.size > this.blocksThen || this.entered > this.enteredThen;
  }
}

export class RegionCompiler {
  /** Counts for measurements. */
  readonly statistics = { modules: 0, regions: 0, blocks: 0, instructions: 0, bytes: 0 };
  private readonly regionMemory = new RegionMemory();
  private readonly free: number[] = [];
  /** Function 0 stands for none. */
  private used = 1;
  private liveModules = 0;

  constructor(
    private readonly memory: LinearMemory,
    private readonly blocks: Blocks,
    /** The functions of all regions; the dispatcher calls them. */
    private readonly table: WebAssembly.Table,
    private readonly helpers: WebAssembly.Exports,
    /** Regions are made for being checked. */
    private readonly journal: boolean,
  ) {}

  /** Compiles pages in one module. Their regions are entered from now on. */
  compile(pages: readonly HotPage[]): void {
    const plans: PlannedRegion[] = [];
    for (const page of pages) {
      if (page.canCompile) plans.push(...this.plan(page));
      page.noteCompiled();
    }
    if (plans.length === 0) return;
    if (this.liveModules >= MOST_LIVE_MODULES) {
      this.blocks.flush();
      return;
    }
    const builder = new ModuleBuilder();
    builder.importMemory('machine', 'memory', ANY_MEMORY.minimum, ANY_MEMORY.maximum);
    const helpers = importHelpers(builder, 'helpers');
    plans.forEach(({ plan, entryTable }, index) => {
      const body = buildRegion(plan, {
        helpers,
        journal: this.journal,
        entryTable,
        addSite: (block, at, left, kind) =>
          this.addSite(recordOf(block.source.plain || block.source.record, at), left, kind),
      });
      builder.add(body, `region${index}`);
    });
    const bytes = builder.encode();
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), {
      machine: { memory: this.memory.wasm },
      helpers: this.helpers,
    });
    const module: LiveModule = { regions: 0 };
    this.liveModules += 1;
    this.statistics.modules += 1;
    this.statistics.bytes += bytes.length;
    const before = [...new Set(plans.map(({ page }) => page))].flatMap((page) => {
      const { regions } = page;
      page.regions = [];
      return regions;
    });
    plans.forEach((planned, index) => this.install(planned, module, exports[`region${index}`]));
    this.retire(before, plans);
  }

  /** The plans of a page, entries given their copies; none when it cannot be compiled now. */
  private plan(page: HotPage): PlannedRegion[] {
    const plans = planRegions(this.memory, page.page);
    if (!this.regionMemory.hasRoom(SITES_FOR_A_REGION * plans.length, plans.length)) return [];
    const hasCopies = plans.every(({ blocks, entries }) =>
      entries.every((id) => this.blocks.copyPlain(blocks[id].source)),
    );
    if (!hasCopies) return [];
    return plans.map((plan) => ({ page, plan, entryTable: this.regionMemory.allocateTable() }));
  }

  private addSite(record: number, left: number, kind: number): number {
    const address = this.regionMemory.allocateSite();
    const { u16, u32 } = this.memory;
    u32[(address + site.record) >> 2] = record;
    u16[(address + site.left) >> 1] = left;
    u16[(address + site.kind) >> 1] = kind;
    return address;
  }

  private install(
    { page, plan, entryTable }: PlannedRegion,
    module: LiveModule,
    body: WebAssembly.ExportValue,
  ): void {
    const functionIndex = this.allocateFunction();
    this.table.set(functionIndex, body);
    const entries = plan.entries.map((id) => plan.blocks[id]);
    const first = entryTable >> 1;
    this.memory.u16.fill(NO_ENTRY, first, first + ENTRY_TABLE_SIZE / 2);
    for (const { id, source } of entries) {
      this.memory.u16[first + source.start] = id;
      this.blocks.makeEntry(source, functionIndex, id);
    }
    module.regions += 1;
    const sources = entries.map(({ source }) => source);
    page.regions = [...page.regions, { functionIndex, module, entries: sources, entryTable }];
    this.statistics.regions += 1;
    this.statistics.blocks += plan.blocks.length;
    for (const { instructions } of plan.blocks) this.statistics.instructions += instructions.length;
  }

  /** Gives up regions that others have replaced. */
  private retire(regions: readonly Region[], plans: readonly PlannedRegion[]): void {
    if (regions.length === 0) return;
    this.forgetCached();
    const kept = new Set(plans.flatMap(({ plan }) => plan.entries.map((id) => plan.blocks[id].source)));
    for (const retired of regions) {
      this.release(retired);
      for (const block of retired.entries) if (!kept.has(block)) this.blocks.dropEntry(block);
    }
  }

  /** The jump cache leads to no region any more. */
  private forgetCached(): void {
    const { u32 } = this.memory;
    const first = (region.jumpCache + jumpCacheEntry.function) >> 2;
    const words = jumpCacheEntry.size >> 2;
    for (let index = 0; index < JUMP_CACHE_ENTRIES; index += 1) u32[first + index * words] = 0;
  }

  private allocateFunction(): number {
    const free = this.free.pop();
    if (free !== undefined) return free;
    if (this.used === this.table.length) this.table.grow(this.table.length);
    this.used += 1;
    return this.used - 1;
  }

  private release({ functionIndex, module, entryTable }: Region): void {
    this.table.set(functionIndex, null);
    this.free.push(functionIndex);
    this.regionMemory.releaseTable(entryTable);
    module.regions -= 1;
    if (module.regions === 0) this.liveModules -= 1;
  }

  /** The regions of a page are void. */
  drop(page: HotPage): void {
    const { regions } = page;
    page.regions = [];
    this.retire(regions, []);
  }

  /** All records, and with them all regions, are void. */
  dropAll(): void {
    for (let index = 1; index < this.used; index += 1) this.table.set(index, null);
    this.free.length = 0;
    this.used = 1;
    this.forgetCached();
    this.liveModules = 0;
    this.regionMemory.clear();
  }
}
