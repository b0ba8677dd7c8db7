/**
 * Predecoded blocks by where their code lies: physical page, linear page, mode and breakpoint world. A direct link
 * leads only to a block of the same linear page; everything else goes through the jump cache.
 */
import { isInstruction } from '../../isa/decoder.js';
import type { Instruction } from '../../isa/instruction.js';
import { invalidOpcode } from '../fault.js';
import { regionRecord } from '../compiler/regionLayout.js';
import { region } from '../layout.js';
import type { EngineHooks, MemorySystem } from '../seams.js';
import type { LinearMemory } from '../state.js';
import { PAGE_SIZE as PAGE } from '../state.js';
import type { CodeLocation, RecordEvent } from './blockBuilding.js';
import { BlockBuilding, eventOf, FALLS_THROUGH, isBranch, joined } from './blockBuilding.js';
import { Handler, RECORD_SIZE, field } from './record.js';
import { RecordWriter } from './recordWriter.js';
import type { CodeMode } from './shapeOf.js';
import { semanticsName, shapeOf } from './shapeOf.js';
import type { ShapeTable } from './shapeTable.js';

const MAX_BLOCK = 64;
/** Records that one block can take: its instructions, its end, two links. */
const MAX_RECORDS = MAX_BLOCK + 3;
/** Records for code that is not kept: truncated blocks and single steps. The record before them stands for none. */
export const SCRATCH = region.records + RECORD_SIZE;
const ARENA = SCRATCH + (MAX_BLOCK + 4) * RECORD_SIZE;
const ARENA_END = region.sites;

/** Decoded code of one mode and one breakpoint world. */
export interface CodeContext {
  readonly mode: CodeMode;
  /** Low half of the CS base, which has no other; 0 in 64-bit mode. */
  readonly codeBase: number;
  readonly pages: Map<number, LinearPage[]>;
}

/** The blocks of one physical page seen at one linear page. */
export interface LinearPage {
  readonly context: CodeContext;
  readonly physicalPage: number;
  /** RIP of the first byte of the page, in halves. */
  readonly ripLow: number;
  readonly ripHigh: number;
  readonly blocks: Map<number, Block>;
  /** What the compiler knows of the page. */
  compiled: CompiledPage | undefined;
}

/** A page that has a compiled region, or had one, or is on the way to one. */
export interface CompiledPage {
  /** Bytes of the page changed: its region must not run again. */
  invalidate(): void;
}

export interface Block {
  readonly record: number;
  readonly page: LinearPage;
  readonly start: number;
  /** Physical bytes: in the first page, and in the second when it crosses. */
  readonly physical: number;
  readonly length: number;
  /** Physical page of the rest of a page-crossing instruction, or -1. */
  readonly secondPage: number;
  /** A branch leads here: it did not just begin where a budget ended or an interrupt returned. */
  isTarget: boolean;
  /** It is reached by RIP: from other pages, by calls, returns and indirect jumps. */
  isEntered: boolean;
  /** Copy of its records while the first of them is the entry of a compiled region, else 0. */
  plain: number;
}

/** Bytes of the second page that a crossing instruction can have. */
const MAX_CROSSING = 15;

export class Blocks {
  /** What EVENT records mean. */
  readonly events = new Map<number, RecordEvent>();
  /** Counts dropped blocks and flushes: a record is good as long as this has not moved. */
  generation = 0;

  private readonly contexts = new Map<string, CodeContext>();
  private readonly byPhysicalPage = new Map<number, Set<Block>>();
  private readonly byRecord = new Map<number, Block>();
  private readonly dropped: Block[] = [];
  private free = ARENA;
  private readonly writer: RecordWriter;

  constructor(
    private readonly memory: LinearMemory,
    private readonly shapes: ShapeTable,
    private readonly system: MemorySystem,
    private readonly hooks: EngineHooks,
    /** Called when all records were given up. */
    private readonly onFlush: () => void,
  ) {
    this.writer = new RecordWriter(memory);
  }

  /** The context of a mode; `key` names mode, CS base and breakpoint world. */
  context(key: string, make: () => Omit<CodeContext, 'pages'>): CodeContext {
    let context = this.contexts.get(key);
    if (!context) this.contexts.set(key, (context = { ...make(), pages: new Map() }));
    return context;
  }

  /** Forgets all blocks. */
  flush(): void {
    for (const context of this.contexts.values()) context.pages.clear();
    this.byPhysicalPage.clear();
    this.byRecord.clear();
    this.dropped.length = 0;
    this.events.clear();
    this.free = ARENA;
    this.generation += 1;
    this.onFlush();
  }

  /** The block that begins with a record. */
  blockAt(record: number): Block | undefined {
    return this.byRecord.get(record);
  }

  find(location: CodeLocation): Block | undefined {
    return this.findPage(location)?.blocks.get(location.physical & (PAGE - 1));
  }

  private findPage({ context, ripLow, ripHigh, physical }: CodeLocation): LinearPage | undefined {
    const offset = physical & (PAGE - 1);
    const low = (ripLow - offset) | 0;
    // Outside 64-bit mode the first byte of the page may lie below offset 0 of CS.
    const high = ripLow >>> 0 < offset ? (ripHigh - 1) | 0 : ripHigh;
    const pages = context.pages.get(physical >>> 12);
    return pages?.find((page) => page.ripLow === low && page.ripHigh === high);
  }

  /** Physical page of the rest of a crossing instruction's bytes: -1 when it cannot be fetched. */
  secondPage({ context, linearLow, linearHigh }: CodeLocation): number {
    const low = ((linearLow & ~(PAGE - 1)) + PAGE) | 0;
    const high = low === 0 && context.mode.width === 64 ? (linearHigh + 1) | 0 : linearHigh;
    const physical = this.system.fetch(low, high);
    return physical < 0 ? -1 : physical >>> 12;
  }

  /** Drops the blocks that overlap physical bytes which change. Answers whether there were any. */
  drop(physical: number, length: number): boolean {
    let dropped = false;
    for (let page = physical >>> 12; page <= (physical + length - 1) >>> 12; page += 1) {
      for (const block of this.byPhysicalPage.get(page) ?? []) {
        const overlaps =
          (block.physical < physical + length && physical < block.physical + block.length) ||
          (block.secondPage === page && physical < page * PAGE + MAX_CROSSING);
        if (!overlaps) continue;
        this.remove(block);
        block.page.compiled?.invalidate();
        dropped = true;
      }
    }
    if (dropped) this.generation += 1;
    return dropped;
  }

  /** Drops a block that is no longer the entry of a region. */
  dropEntry(block: Block): void {
    if (this.byRecord.get(block.record) !== block) return;
    this.remove(block);
    this.generation += 1;
  }

  private remove(block: Block): void {
    this.byRecord.delete(block.record);
    block.page.blocks.delete(block.start);
    this.byPhysicalPage.get(block.physical >>> 12)?.delete(block);
    if (block.secondPage >= 0) this.byPhysicalPage.get(block.secondPage)?.delete(block);
    this.dropped.push(block);
  }

  /**
   * Links of the same page still lead to dropped blocks: sends them on by RIP. Not earlier than before the next record
   * runs, for the instruction that wrote into its own block still needs its record.
   */
  redirectDropped(): void {
    for (const block of this.dropped) {
      this.writer.far(block.record, pageRipOf(block.page) + BigInt(block.start));
      this.events.delete(block.record);
    }
    this.dropped.length = 0;
  }

  /** Builds the block at a location. `undefined`: its bytes cannot be fetched (`MemorySystem.fault`, `exited`). */
  build(location: CodeLocation): Block | undefined {
    if (this.free + MAX_RECORDS * RECORD_SIZE > ARENA_END) this.flush();
    const { physical } = location;
    const start = physical & (PAGE - 1);
    const page = this.findPage(location) ?? this.addPage(location);
    const building = new BlockBuilding(this.memory, location, () => this.secondPage(location));
    const { pageRip } = building;
    const linear = joined(location.linearLow, location.linearHigh);
    const record = this.free;
    const isBreakpoint = (offset: number) => this.hooks.isBreakpoint(linear + BigInt(offset - start));
    if (isBreakpoint(start)) {
      this.writeEvent(record, start, { kind: 'breakpoint' });
      this.free += RECORD_SIZE;
    } else {
      const end = this.writeBlock(building, record, MAX_BLOCK, isBreakpoint, (at, link, target) =>
        this.linkTo(pageRip, at, link, target),
      );
      if (end < 0) return undefined;
    }
    const length = Math.max(1, Math.min(building.end, PAGE) - start);
    const block: Block = {
      record,
      page,
      start,
      physical,
      length,
      secondPage: building.secondPage,
      isTarget: false,
      isEntered: false,
      plain: 0,
    };
    page.blocks.set(start, block);
    this.byRecord.set(record, block);
    this.note(physical >>> 12, block);
    if (block.secondPage >= 0) this.note(block.secondPage, block);
    return block;
  }

  private addPage({ context, ripLow, ripHigh, physical }: CodeLocation): LinearPage {
    const pageRip = joined(ripLow, ripHigh) - BigInt(physical & (PAGE - 1));
    const page: LinearPage = {
      context,
      physicalPage: physical >>> 12,
      ripLow: Number(BigInt.asIntN(32, pageRip)),
      ripHigh: Number(BigInt.asIntN(32, pageRip >> 32n)),
      blocks: new Map(),
      compiled: undefined,
    };
    context.pages.set(physical >>> 12, [...(context.pages.get(physical >>> 12) ?? []), page]);
    return page;
  }

  private note(page: number, block: Block): void {
    let blocks = this.byPhysicalPage.get(page);
    if (!blocks) {
      this.byPhysicalPage.set(page, (blocks = new Set()));
      this.system.protectCode(page);
    }
    blocks.add(block);
  }

  /**
   * One instruction in the scratch records, breakpoints ignored, links through the jump cache. Answers its record, or
   * undefined when it cannot be fetched.
   */
  buildStep(location: CodeLocation): number | undefined {
    const building = new BlockBuilding(this.memory, location, () => this.secondPage(location));
    const saved = this.free;
    this.free = SCRATCH + 2 * RECORD_SIZE;
    this.events.delete(SCRATCH);
    const { pageRip } = building;
    const end = this.writeBlock(
      building,
      SCRATCH,
      1,
      () => false,
      (at, link, target) =>
        this.writer.setLink(at, link, this.far(this.wrap(location.context, pageRip + BigInt(target)))),
    );
    this.free = saved;
    return end < 0 ? undefined : SCRATCH;
  }

  /**
   * Makes the first record of a block the entry of a region. The interpreter, which goes on using the block where the
   * region cannot be entered, has its copy.
   */
  makeEntry(block: Block, functionIndex: number, entry: number): void {
    this.writer.region(block.record, functionIndex, entry, block.plain);
  }

  /** Gives a block its copy; false when there is no room. */
  copyPlain(block: Block): boolean {
    if (block.plain !== 0) return true;
    if (this.free + MAX_RECORDS * RECORD_SIZE > ARENA_END) return false;
    const { page } = block;
    const location: CodeLocation = {
      context: page.context,
      ripLow: (page.ripLow + block.start) | 0,
      ripHigh: page.ripHigh,
      linearLow: 0,
      linearHigh: 0,
      physical: block.physical,
    };
    const building = new BlockBuilding(this.memory, location, () => -1);
    const { pageRip } = building;
    const record = this.free;
    const count = this.memory.u8[block.record + field.remaining];
    this.writeBlock(
      building,
      record,
      count,
      () => false,
      (at, link, target) => this.linkTo(pageRip, at, link, target),
    );
    block.plain = record;
    return true;
  }

  /** Copies the first `count` instructions of a block to the scratch records, with a stop behind them. */
  truncate(first: number, count: number): number {
    const { u8, u16, u32 } = this.memory;
    const isEntry = u16[(first + field.handler) >> 1] === Handler.REGION;
    const record = isEntry ? u32[(first + regionRecord.plain) >> 2] : first;
    for (let index = 0; index < count; index += 1) {
      const [from, to] = [record + index * RECORD_SIZE, SCRATCH + index * RECORD_SIZE];
      u8.copyWithin(to, from, from + RECORD_SIZE);
      this.writer.setRemaining(to, count - index);
      const event = this.events.get(from);
      if (event) this.events.set(to, event);
    }
    const last = SCRATCH + (count - 1) * RECORD_SIZE;
    const isShape = u16[(last + field.handler) >> 1] >= Handler.CALL;
    if (isShape) this.writer.setHandler(last, this.shapes.handlerOf(u16[(last + field.shape) >> 1]));
    const behind = u16[(record + count * RECORD_SIZE + field.start) >> 1];
    this.writer.stop(SCRATCH + count * RECORD_SIZE, behind);
    return SCRATCH;
  }

  /** Points a link at a block. One that crosses a page is reached by RIP, for its second page may change. */
  resolveLink(link: number, block: Block): void {
    if (this.free + RECORD_SIZE > ARENA_END) return;
    const { u32 } = this.memory;
    const owner = u32[(link + field.immediate) >> 2];
    const linkField = u32[(link + field.next) >> 2];
    const target =
      block.secondPage < 0 ? block.record : this.far(pageRipOf(block.page) + BigInt(block.start));
    this.writer.setLink(owner, linkField, target);
  }

  private wrap(context: CodeContext, rip: bigint): bigint {
    return context.mode.width === 64 ? BigInt.asUintN(64, rip) : BigInt.asUintN(32, rip);
  }

  private far(rip: bigint): number {
    const record = this.free;
    this.free += RECORD_SIZE;
    this.writer.far(record, rip);
    return record;
  }

  private linkTo(pageRip: bigint, record: number, linkField: number, target: number): void {
    const inPage = target >= 0 && target < PAGE;
    if (!inPage) {
      this.writer.setLink(record, linkField, this.far(BigInt.asUintN(64, pageRip + BigInt(target))));
      return;
    }
    this.writer.link(this.free, target, record, linkField);
    this.writer.setLink(record, linkField, this.free);
    this.free += RECORD_SIZE;
  }

  private writeEvent(record: number, start: number, event: RecordEvent): void {
    this.writer.event(record, start);
    this.writer.setRemaining(record, 1);
    this.events.set(record, event);
  }

  /**
   * Writes the records of a block from `record` on. `link` sets a link field to an offset relative to the page.
   * Answers the number of instructions, -1 when the first one cannot be fetched.
   */
  private writeBlock(
    building: BlockBuilding,
    record: number,
    limit: number,
    isBreakpoint: (offset: number) => boolean,
    link: (record: number, linkField: number, target: number) => void,
  ): number {
    const { shapes, writer } = this;
    const numbers: number[] = [];
    let count = 0;
    let last: Instruction | undefined;
    let ended = false;
    while (!ended && count < limit && building.end < PAGE) {
      if (count > 0 && isBreakpoint(building.end)) break;
      const start = building.end;
      const decoded = building.next(count === 0);
      if (decoded === 'unfetchable') {
        if (count === 0) return -1;
        break;
      }
      const at = record + count * RECORD_SIZE;
      count += 1;
      const event = eventOf(decoded);
      if (event || !isInstruction(decoded)) {
        this.writeEvent(at, start, event ?? { kind: 'fault', fault: invalidOpcode() });
        ended = true;
        break;
      }
      const shape = shapeOf(decoded, building.location.context.mode);
      const number = shapes.numberOf(shape);
      numbers.push(number);
      writer.instruction(at, decoded, shape, number, shapes.handlerOf(number), start);
      last = decoded;
      ended = isBranch(decoded);
    }
    shapes.buildWanted();
    for (let index = 0; index < count; index += 1) {
      writer.setRemaining(record + index * RECORD_SIZE, count - index);
    }
    this.fuse(record, numbers);
    // A record behind the last one in any case: a branch never leads to the record that follows its own.
    const behind = record + count * RECORD_SIZE;
    writer.end(behind, building.end);
    if (this.free === record) this.free = behind + RECORD_SIZE;
    if (ended && last) this.linkBranch(behind - RECORD_SIZE, last, building, link);
    else if (!ended) link(behind, field.next, building.end);
    return count;
  }

  private fuse(record: number, numbers: readonly number[]): void {
    for (let index = 0; index + 1 < numbers.length; index += 1) {
      const handler = this.shapes.fusedHandler(numbers[index], numbers[index + 1]);
      if (handler !== undefined) this.writer.setHandler(record + index * RECORD_SIZE, handler);
    }
  }

  private linkBranch(
    record: number,
    branch: Instruction,
    building: BlockBuilding,
    link: (record: number, linkField: number, target: number) => void,
  ): void {
    const isString = branch.repeat !== 'none';
    const relative = branch.row.operands[0] === 'Jb' || branch.row.operands[0] === 'Jz';
    if (!isString && !relative) return;
    const target = isString ? branch.rip : branch.target;
    link(record, field.taken, Number(BigInt.asIntN(64, target - building.pageRip)));
    const falls = isString || FALLS_THROUGH.has(semanticsName(branch));
    if (falls) link(record, field.next, building.end);
  }
}

const pageRipOf = ({ ripLow, ripHigh }: LinearPage) => joined(ripLow, ripHigh);
