/** Compiles pages of hot code, several to a WebAssembly module, and forgets what is no longer true. */
import { ModuleBuilder } from '../../wasm/moduleBuilder.js';
import type { Block, Blocks, CompiledPage, LinearPage } from '../interpreter/blocks.js';
import { ANY_MEMORY } from '../interpreter/switchModule.js';
import { importHelpers } from '../semantics/helpers.js';
import type { LinearMemory } from '../state.js';
import { buildRegion, recordOf } from './regionFunction.js';
import { ENTRY_TABLE_SIZE, NO_ENTRY, RegionMemory, site } from './regionLayout.js';
import type { RegionPlan } from './regionPlan.js';
import { isCompilableMode, planRegion } from './regionPlan.js';

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

/** Compiled code of a page. */
interface Region {
  readonly functionIndex: number;
  readonly module: LiveModule;
  readonly entries: readonly Block[];
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
  region: Region | undefined;
  entryTable = 0;

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
  private used = 0;
  private liveModules = 0;

  constructor(
    private readonly memory: LinearMemory,
    private readonly blocks: Blocks,
    /** The functions of all regions; the dispatcher calls them. */
    private readonly table: WebAssembly.Table,
    private readonly helpers: WebAssembly.Exports,
  ) {}

  /** Compiles pages in one module. Their regions are entered from now on. */
  compile(pages: readonly HotPage[]): void {
    const plans: { page: HotPage; plan: RegionPlan }[] = [];
    for (const page of pages) {
      const plan = page.canCompile ? this.plan(page) : undefined;
      page.noteCompiled();
      if (plan) plans.push({ page, plan });
    }
    if (plans.length === 0) return;
    if (this.liveModules >= MOST_LIVE_MODULES) {
      this.blocks.flush();
      return;
    }
    const builder = new ModuleBuilder();
    builder.importMemory('machine', 'memory', ANY_MEMORY.minimum, ANY_MEMORY.maximum);
    const helpers = importHelpers(builder, 'helpers');
    plans.forEach(({ page, plan }, index) => {
      const body = buildRegion(plan, {
        helpers,
        entryTable: page.entryTable,
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
    plans.forEach(({ page, plan }, index) => this.install(page, plan, module, exports[`region${index}`]));
  }

  /** The plan of a page, its entries given their copies; undefined when it cannot be compiled now. */
  private plan(page: HotPage): RegionPlan | undefined {
    const plan = planRegion(this.memory, page.page);
    if (!plan || !this.regionMemory.hasRoom(SITES_FOR_A_REGION)) return undefined;
    if (!plan.entries.every((id) => this.blocks.copyPlain(plan.blocks[id].source))) return undefined;
    page.entryTable ||= this.regionMemory.allocateTable();
    return plan;
  }

  private addSite(record: number, left: number, kind: number): number {
    const address = this.regionMemory.allocateSite();
    const { u16, u32 } = this.memory;
    u32[(address + site.record) >> 2] = record;
    u16[(address + site.left) >> 1] = left;
    u16[(address + site.kind) >> 1] = kind;
    return address;
  }

  private install(page: HotPage, plan: RegionPlan, module: LiveModule, body: WebAssembly.ExportValue): void {
    const before = page.region;
    const functionIndex = this.allocateFunction();
    this.table.set(functionIndex, body);
    const entries = plan.entries.map((id) => plan.blocks[id]);
    const first = page.entryTable >> 1;
    this.memory.u16.fill(NO_ENTRY, first, first + ENTRY_TABLE_SIZE / 2);
    for (const { id, source } of entries) {
      this.memory.u16[first + source.start] = id;
      this.blocks.makeEntry(source, functionIndex, id);
    }
    module.regions += 1;
    page.region = { functionIndex, module, entries: entries.map(({ source }) => source) };
    if (before) {
      const kept = new Set(page.region.entries);
      this.release(before);
      for (const block of before.entries) if (!kept.has(block)) this.blocks.dropEntry(block);
    }
    this.statistics.regions += 1;
    this.statistics.blocks += plan.blocks.length;
    for (const { instructions } of plan.blocks) this.statistics.instructions += instructions.length;
  }

  private allocateFunction(): number {
    const free = this.free.pop();
    if (free !== undefined) return free;
    if (this.used === this.table.length) this.table.grow(this.table.length);
    this.used += 1;
    return this.used - 1;
  }

  private release({ functionIndex, module }: Region): void {
    this.table.set(functionIndex, null);
    this.free.push(functionIndex);
    module.regions -= 1;
    if (module.regions === 0) this.liveModules -= 1;
  }

  /** The region of a page is void. */
  drop(page: HotPage): void {
    const { region } = page;
    if (!region) return;
    page.region = undefined;
    this.release(region);
    for (const block of region.entries) this.blocks.dropEntry(block);
  }

  /** All records, and with them all regions, are void. */
  dropAll(): void {
    for (let index = 0; index < this.used; index += 1) this.table.set(index, null);
    this.free.length = 0;
    this.used = 0;
    this.liveModules = 0;
    this.regionMemory.clear();
  }
}
