/** The module that goes from region to region without leaving WebAssembly. */
import { i32, i64 } from '../../wasm/expression.js';
import { FunctionBuilder } from '../../wasm/functionBuilder.js';
import { ModuleBuilder } from '../../wasm/moduleBuilder.js';
import { field, Handler } from '../interpreter/record.js';
import { ANY_MEMORY, loadJumpCache } from '../interpreter/switchModule.js';
import { layout } from '../layout.js';
import { BUDGET_MARGIN, DYNAMIC_KIND, regionRecord, site } from './regionLayout.js';

const ZERO = i32.constant(0);
/** Answer of `runRegions` when execution goes on at RIP, wherever that is. */
const AT_RIP = i32.constant(0);

/** Enters the region at a record, whose RIP, like the rest of the state, is in memory. Answers the record to go on at. */
export type RunRegions = (record: number) => number;

function buildRunRegions(regionType: number): FunctionBuilder {
  const f = new FunctionBuilder([i32.type], [i32.type]);
  const record = f.parameter(0);
  const left = f.local(i32.type);
  const pageRip = f.local(i64.type);
  const rip = () => i64.load(ZERO, layout.rip);
  f.loop((again) => {
    f.set(pageRip, i64.sub(rip(), i64.load16U(record, field.start)));
    const entry = i32.load(record, regionRecord.entry);
    f.callIndirect(left, regionType, i32.load(record, regionRecord.function), [entry]);
    f.if(left, () => {
      f.set(record, i32.load(left, site.record));
      f.store64(ZERO, i64.add(pageRip, i64.load16U(record, field.start)), layout.rip);
      const budget = i32.add(i32.load(ZERO, layout.budget), i32.load16U(left, site.left));
      f.store32(ZERO, budget, layout.budget);
      const kind = f.let(i32.load16U(left, site.kind));
      f.if(i32.ne(kind, i32.constant(DYNAMIC_KIND)), () => f.store32(ZERO, kind, layout.flagsKind));
      f.return(record);
    });
    f.if(i32.ltS(i32.load(ZERO, layout.budget), i32.constant(BUDGET_MARGIN)), () => f.return(AT_RIP));
    const target = f.let(rip());
    const cached = loadJumpCache(f, target, () => f.return(AT_RIP));
    f.set(record, cached.record);
    f.branchIf(again, i32.eq(i32.load16U(record, field.handler), i32.constant(Handler.REGION)));
  });
  f.return(AT_RIP);
  f.unreachable();
  return f;
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
