/** The module that goes from region to region without leaving WebAssembly. */
import type { Expression } from '../../wasm/expression.js';
import { i32, i64 } from '../../wasm/expression.js';
import { FunctionBuilder } from '../../wasm/functionBuilder.js';
import { ModuleBuilder } from '../../wasm/moduleBuilder.js';
import { field, Handler, jumpCacheEntry } from '../interpreter/record.js';
import { ANY_MEMORY, loadJumpCache } from '../interpreter/switchModule.js';
import { layout, region } from '../layout.js';
import { BUDGET_MARGIN, DYNAMIC_KIND, regionRecord, site } from './regionLayout.js';

const ZERO = i32.constant(0);
/** Answer of `runRegions` when execution goes on at RIP, wherever that is. */
const AT_RIP = i32.constant(0);

/** Enters the region at a record, whose RIP, like the rest of the state, is in memory. Answers the record to go on at. */
export type RunRegions = (record: number) => number;

function buildRunRegions(regionType: number): FunctionBuilder {
  const f = new FunctionBuilder([i32.type], [i32.type]);
  const record = f.parameter(0);
  const functionIndex = f.local(i32.type);
  const entry = f.local(i32.type);
  const left = f.local(i32.type);
  const rip = f.local(i64.type);
  const pageRip = f.local(i64.type);
  f.set(functionIndex, i32.load(record, regionRecord.function));
  f.set(entry, i32.load(record, regionRecord.entry));
  f.set(pageRip, i64.sub(i64.load(ZERO, layout.rip), i64.load16U(record, field.start)));
  f.loop((again) => {
    f.callIndirect(left, regionType, functionIndex, [entry]);
    f.unlikely(left, () => leaveAtSite(f, left, pageRip));
    const spent = i32.ltS(i32.load(ZERO, layout.budget), i32.constant(BUDGET_MARGIN));
    f.unlikely(spent, () => f.return(AT_RIP));
    f.set(rip, i64.load(ZERO, layout.rip));
    const cached = loadJumpCache(f, rip, () => f.return(AT_RIP));
    f.set(pageRip, i64.sub(rip, cached.start));
    const at = (offset: number) => i32.load(cached.entry, region.jumpCache + offset);
    f.set(functionIndex, at(jumpCacheEntry.function));
    f.unlikely(i32.eqz(functionIndex), () => {
      f.set(record, cached.record);
      const handler = i32.load16U(record, field.handler);
      f.if(i32.ne(handler, i32.constant(Handler.REGION)), () => f.return(AT_RIP));
      f.set(functionIndex, i32.load(record, regionRecord.function));
      f.store32(cached.entry, functionIndex, region.jumpCache + jumpCacheEntry.function);
      f.store32(cached.entry, i32.load(record, regionRecord.entry), region.jumpCache + jumpCacheEntry.entry);
    });
    f.set(entry, at(jumpCacheEntry.entry));
    f.branch(again);
  });
  f.unreachable();
  return f;
}

/** Gives back what was paid for and not executed, and goes on at the record of the site. */
function leaveAtSite(f: FunctionBuilder, left: Expression, pageRip: Expression): void {
  const record = f.let(i32.load(left, site.record));
  f.store64(ZERO, i64.add(pageRip, i64.load16U(record, field.start)), layout.rip);
  const budget = i32.add(i32.load(ZERO, layout.budget), i32.load16U(left, site.left));
  f.store32(ZERO, budget, layout.budget);
  const kind = f.let(i32.load16U(left, site.kind));
  f.if(i32.ne(kind, i32.constant(DYNAMIC_KIND)), () => f.store32(ZERO, kind, layout.flagsKind));
  f.return(record);
}

let compiled: WebAssembly.Module | undefined;

/** Makes the dispatcher over a table of region functions. */
export function createDispatcher(memory: WebAssembly.Memory, regions: WebAssembly.Table): RunRegions {
  if (!compiled) {
    const module = new ModuleBuilder();
    module.importMemory('machine', 'memory', ANY_MEMORY.minimum, ANY_MEMORY.maximum);
    module.importTable('machine', 'regions', 0);
    const regionType = module.type([i32.type], [i32.type]);
    module.add(buildRunRegions(regionType), 'runRegions');
    compiled = new WebAssembly.Module(module.encode());
  }
  const { exports } = new WebAssembly.Instance(compiled, { machine: { memory, regions } });
  return exports.runRegions as RunRegions;
}
