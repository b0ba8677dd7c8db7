/** Builds the interpreter's main module: the switch over the hot shapes, and the helpers. */
import type { Expression } from '../../wasm/expression.js';
import { i32, i64, select } from '../../wasm/expression.js';
import type { Label } from '../../wasm/functionBuilder.js';
import { FunctionBuilder } from '../../wasm/functionBuilder.js';
import { ModuleBuilder } from '../../wasm/moduleBuilder.js';
import { BUDGET_MARGIN, regionRecord } from '../compiler/regionLayout.js';
import { layout, region } from '../layout.js';
import type { KnownFlags } from '../semantics/flagState.js';
import { addHelpers } from '../semantics/helpers.js';
import { semantics } from '../semantics/semantics.js';
import { ShapeResult } from './functionEmitter.js';
import type { HotCase } from './hotShapes.js';
import type { EmitterFunctions } from './recordEmitter.js';
import {
  ExitCode,
  field,
  Handler,
  JUMP_CACHE_ENTRIES,
  JUMP_CACHE_GENERATION,
  jumpCacheEntry,
  RECORD_SIZE,
} from './record.js';
import { SwitchEmitter, SwitchFrame } from './switchEmitter.js';

const ZERO = i32.constant(0);

/** The record that stands for "RIP is in `pageRip`, no block": what a failed jump cache lookup leaves at. */
export const NO_RECORD = region.records;

/** Limits of the imported memory in pages of 64 KiB: any machine's memory fits. */
export const ANY_MEMORY = { minimum: 1, maximum: 0x1_0000 } as const;

/**
 * Encodes the module. Exports `run(record, budget)` and the helpers; imports memory, table, checkSegment, runRegions.
 * `checking`: regions are not entered but left to TypeScript to be checked, and writes are noted.
 */
export function buildSwitchModule(cases: readonly HotCase[], checking: boolean): Uint8Array<ArrayBuffer> {
  const module = new ModuleBuilder();
  module.importMemory('machine', 'memory', ANY_MEMORY.minimum, ANY_MEMORY.maximum);
  module.importTable('machine', 'shapes', 0);
  const shapeType = module.type([i32.type], [i32.type]);
  const checkSegment = module.importFunction(
    'machine',
    'checkSegment',
    [i32.type, i32.type, i32.type, i32.type],
    [i32.type],
  );
  const runRegions = module.importFunction('machine', 'runRegions', [i32.type], [i32.type]);
  const functions = { helpers: addHelpers(module), checkSegment, runRegions, journal: checking };
  const f = new FunctionBuilder([i32.type, i32.type], []);
  const frame = new SwitchFrame(f);
  emitEntry(frame);
  f.block((exit) => {
    frame.exit = exit;
    f.loop((dispatch) => {
      frame.dispatch = dispatch;
      f.block((lookup) => {
        frame.lookup = lookup;
        emitCases(frame, allCases(frame, cases, functions, shapeType));
      });
      emitLookup(frame);
    });
  });
  emitExit(frame);
  module.add(f, 'run');
  return module.encode();
}

/** Pays for the block that begins at the record; RIP is that of the record. */
function emitEntry(frame: SwitchFrame): void {
  const { f, record, budget } = frame;
  frame.loadFlags();
  f.set(frame.tlbBank, i32.load(ZERO, layout.tlbBank));
  f.set(frame.pageRip, i64.sub(i64.load(ZERO, layout.rip), i64.load16U(record, field.start)));
  f.set(budget, i32.sub(budget, i32.load8U(record, field.remaining)));
}

/** What was paid for and not executed is given back. */
function emitExit(frame: SwitchFrame): void {
  const { f, record } = frame;
  frame.storeFlags();
  f.store64(ZERO, frame.rip(), layout.rip);
  f.store32(ZERO, i32.add(frame.budget, i32.load8U(record, field.remaining)), layout.budget);
  f.store32(ZERO, frame.exitCode, layout.exitCode);
  f.store32(ZERO, record, layout.exitRecord);
}

/** The jump cache's entry for a bound RIP: its record, and the offset of RIP in its page as i64. */
export function loadJumpCache(f: FunctionBuilder, rip: Expression, missing: () => void) {
  const size = Math.log2(jumpCacheEntry.size);
  const hash = i32.xor(i32.wrap(rip), i32.wrap(i64.shrU(rip, i64.constant(12))));
  // Sets of two entries, next to each other.
  const mask = (JUMP_CACHE_ENTRIES - 2) << size;
  const entry = f.temporary(i32.type);
  f.set(entry, i32.and(i32.shl(hash, i32.constant(size + 1)), i32.constant(mask)));
  const key = f.let(i64.xor(rip, i64.load(ZERO, JUMP_CACHE_GENERATION)));
  const differs = () => i64.ne(i64.load(entry, region.jumpCache + jumpCacheEntry.key), key);
  f.unlikely(differs(), () => {
    f.set(entry, i32.add(entry, i32.constant(jumpCacheEntry.size)));
    f.unlikely(differs(), missing);
  });
  return {
    /** Address of the entry, less `region.jumpCache`. */
    entry,
    record: i32.load(entry, region.jumpCache + jumpCacheEntry.record),
    start: i64.load32U(entry, region.jumpCache + jumpCacheEntry.start),
  };
}

function emitLookup(frame: SwitchFrame): void {
  const { f, target } = frame;
  const { record, start } = loadJumpCache(f, target, () => {
    f.set(frame.pageRip, target);
    f.set(frame.record, i32.constant(NO_RECORD));
    frame.leave(ExitCode.LOOKUP);
  });
  f.set(frame.pageRip, i64.sub(target, start));
  frame.enter(record);
}

/**
 * Runs compiled regions for as long as one follows another. They may use `reserve` beyond the budget, which counts the
 * instructions that the interpreter may execute.
 */
function emitRegion(frame: SwitchFrame, runRegions: number): void {
  const { f, record, budget } = frame;
  const granted = f.let(i32.add(budget, i32.load8U(record, field.remaining)));
  const total = f.let(i32.add(granted, i32.load(ZERO, layout.reserve)));
  f.if(i32.ltS(total, i32.constant(BUDGET_MARGIN)), () => {
    // The block is paid for already.
    f.set(record, i32.load(record, regionRecord.plain));
    f.branch(frame.dispatch);
  });
  frame.storeFlags();
  f.store64(ZERO, frame.rip(), layout.rip);
  f.store32(ZERO, total, layout.budget);
  const next = f.temporary(i32.type);
  f.callInto(next, runRegions, [record]);
  frame.loadFlags();
  const left = f.let(i32.load(ZERO, layout.budget));
  f.set(budget, select(granted, left, i32.ltS(granted, left)));
  f.store32(ZERO, i32.sub(left, budget), layout.reserve);
  const rip = f.let(i64.load(ZERO, layout.rip));
  f.if(next, () => {
    f.set(frame.pageRip, i64.sub(rip, i64.load16U(next, field.start)));
    frame.enter(next);
  });
  f.set(frame.target, rip);
  f.branch(frame.lookup);
}

type Case = () => void;

/** Nested blocks: the table jumps out of as many as lead to the wanted case. */
function emitCases(frame: SwitchFrame, cases: readonly Case[]): void {
  const { f } = frame;
  const labels: Label[] = [];
  const nest = (depth: number): void => {
    f.block((label) => {
      labels[depth] = label;
      if (depth > 0) {
        nest(depth - 1);
        f.releaseTemporaries();
        cases[depth - 1]();
      } else {
        f.branchTable(i32.load16U(frame.record, field.handler), labels, labels[Handler.EVENT]);
      }
    });
  };
  nest(cases.length - 1);
  f.releaseTemporaries();
  cases[cases.length - 1]();
}

function allCases(
  frame: SwitchFrame,
  cases: readonly HotCase[],
  functions: EmitterFunctions & { readonly runRegions: number },
  shapeType: number,
): readonly Case[] {
  const { f, record } = frame;
  const leaving = (code: number) => () => frame.leave(code);
  const builtIn: Case[] = [];
  builtIn[Handler.LINK] = leaving(ExitCode.LINK);
  builtIn[Handler.NEXT] = () => frame.enter(i32.load(record, field.next));
  builtIn[Handler.FAR] = () => {
    f.set(frame.target, i64.load(record, field.immediate));
    f.branch(frame.lookup);
  };
  builtIn[Handler.EVENT] = leaving(ExitCode.EVENT);
  builtIn[Handler.STOP] = leaving(ExitCode.STOP);
  builtIn[Handler.CALL] = () => emitCall(frame, shapeType);
  builtIn[Handler.REGION] = functions.journal
    ? leaving(ExitCode.REGION)
    : () => emitRegion(frame, functions.runRegions);
  return [...builtIn, ...cases.map((hot) => () => emitCase(frame, hot, functions))];
}

function emitCase(frame: SwitchFrame, instructions: HotCase, functions: EmitterFunctions): void {
  let known: KnownFlags | undefined;
  let ended = false;
  instructions.forEach((shape, number) => {
    const emitter = new SwitchEmitter(frame, shape, number * RECORD_SIZE, functions, known);
    const emit = semantics.get(shape.semantics);
    if (!emit) throw new Error(`no semantics for ${shape.semantics}`);
    emit(emitter);
    known = emitter.flags.known;
    ended = emitter.ended;
  });
  if (ended) return;
  frame.f.set(frame.record, i32.add(frame.record, i32.constant(instructions.length * RECORD_SIZE)));
  frame.f.branch(frame.dispatch);
}

/** A shape outside the switch: its function works on the state in memory. */
function emitCall(frame: SwitchFrame, shapeType: number): void {
  const { f, record } = frame;
  const result = f.temporary(i32.type);
  frame.storeFlags();
  f.store64(ZERO, frame.rip(), layout.rip);
  f.store32(ZERO, frame.budget, layout.budget);
  f.callIndirect(result, shapeType, i32.load16U(record, field.shape), [record]);
  frame.loadFlags();
  // A repeated string instruction spends for its iterations.
  f.set(frame.budget, i32.load(ZERO, layout.budget));
  f.if(i32.eq(result, i32.add(record, i32.constant(RECORD_SIZE))), () => {
    f.set(record, result);
    f.branch(frame.dispatch);
  });
  f.if(i32.eq(result, i32.constant(ShapeResult.LEFT)), () => {
    f.set(frame.exitCode, i32.load(ZERO, layout.exitCode));
    f.branch(frame.exit);
  });
  f.if(i32.eq(result, i32.constant(ShapeResult.INDIRECT)), () => {
    f.set(frame.target, i64.load(ZERO, layout.rip));
    f.branch(frame.lookup);
  });
  frame.enter(result);
}
