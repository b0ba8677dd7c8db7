/** The shapes in use: their numbers, their cases in the switch, and the functions of those that have none. */
import type { RunRegions } from '../compiler/dispatcher.js';
import { i32 } from '../../wasm/expression.js';
import { FunctionBuilder } from '../../wasm/functionBuilder.js';
import { ModuleBuilder } from '../../wasm/moduleBuilder.js';
import { importHelpers } from '../semantics/helpers.js';
import { semantics } from '../semantics/semantics.js';
import type { InstructionShape } from '../semantics/shape.js';
import { CarefulEmitter, FunctionEmitter } from './functionEmitter.js';
import { hotCases } from './hotShapes.js';
import { Handler } from './record.js';
import { shapeKey } from './shapeOf.js';
import { ANY_MEMORY, buildSwitchModule } from './switchModule.js';

/** Runs one instruction from its record: see `FunctionEmitter`. */
export type ShapeFunction = (record: number) => number;

/** What generated code calls in TypeScript. */
export interface HostFunctions {
  checkSegment(base: number, offset: number, size: number, access: number): number;
  prepare(low: number, high: number, size: number, access: number): number;
  commit(): void;
  /** Runs compiled regions: see compiler/dispatcher.ts. */
  readonly runRegions: RunRegions;
}

const INITIAL_TABLE = 2048;

const compiledSwitch = new Map<boolean, WebAssembly.Module>();
/** The main module is the same for every processor: compiled once. */
function switchModule(checking: boolean): WebAssembly.Module {
  let module = compiledSwitch.get(checking);
  if (!module) {
    module = new WebAssembly.Module(buildSwitchModule(hotCases, checking));
    compiledSwitch.set(checking, module);
  }
  return module;
}

function emitShape(emitter: FunctionEmitter, shape: InstructionShape): void {
  const emit = semantics.get(shape.semantics);
  if (!emit) throw new Error(`no semantics for ${shape.semantics}`);
  emit(emitter);
  emitter.finish();
}

export class ShapeTable {
  /** Runs from a record with a budget: see `buildSwitchModule`. */
  readonly run: (record: number, budget: number) => void;

  private readonly table = new WebAssembly.Table({ element: 'anyfunc', initial: INITIAL_TABLE });
  private readonly numbers = new Map<string, number>();
  private readonly shapes: InstructionShape[] = [];
  private readonly handlers: number[] = [];
  /** Case of a fused pair by the numbers of its shapes. */
  private readonly pairs = new Map<number, number>();
  private readonly careful: (ShapeFunction | undefined)[] = [];
  /** Shapes whose function is wanted and not built. */
  private wanted: number[] = [];
  /** The helpers, for modules that import them. */
  readonly helpers: WebAssembly.Exports;

  constructor(
    private readonly memory: WebAssembly.Memory,
    private readonly host: HostFunctions,
    /** Compiled regions are checked: see compiler/regionCheck.ts. */
    private readonly checking: boolean,
  ) {
    hotCases.forEach((hot, index) => {
      const handler = Handler.FIRST_SHAPE + index;
      const numbers = hot.map((shape) => this.add(shape));
      if (numbers.length === 1) this.handlers[numbers[0]] = handler;
      else this.pairs.set(pairKey(numbers[0], numbers[1]), handler);
    });
    const instance = new WebAssembly.Instance(switchModule(this.checking), {
      machine: {
        memory,
        shapes: this.table,
        checkSegment: host.checkSegment,
        runRegions: host.runRegions,
      },
    });
    this.helpers = instance.exports;
    this.run = instance.exports.run as (record: number, budget: number) => void;
  }

  private add(shape: InstructionShape): number {
    const key = shapeKey(shape);
    const known = this.numbers.get(key);
    if (known !== undefined) return known;
    const number = this.shapes.length;
    this.numbers.set(key, number);
    this.shapes.push(shape);
    this.handlers.push(Handler.CALL);
    return number;
  }

  /** Number of a shape. One without a case in the switch needs `buildWanted` before its record runs. */
  numberOf(shape: InstructionShape): number {
    const before = this.shapes.length;
    const number = this.add(shape);
    if (number === before) this.wanted.push(number);
    return number;
  }

  handlerOf(number: number): number {
    return this.handlers[number];
  }

  /** Case for two instructions at once, or undefined. */
  fusedHandler(first: number, second: number): number | undefined {
    return this.pairs.get(pairKey(first, second));
  }

  /** Builds the functions of all new shapes, in one module. */
  buildWanted(): void {
    if (this.wanted.length === 0) return;
    const { wanted } = this;
    this.wanted = [];
    const built = this.build(wanted, false);
    const missing = this.shapes.length - this.table.length;
    if (missing > 0) this.table.grow(missing + INITIAL_TABLE);
    wanted.forEach((number, index) => this.table.set(number, built[index]));
  }

  /** The function that runs a shape with every access through the memory system. */
  carefulFunction(number: number): ShapeFunction {
    return (this.careful[number] ??= this.build([number], true)[0]);
  }

  private build(numbers: readonly number[], careful: boolean): ShapeFunction[] {
    const module = new ModuleBuilder();
    const [parameter, result] = [[i32.type], [i32.type]];
    module.importMemory('machine', 'memory', ANY_MEMORY.minimum, ANY_MEMORY.maximum);
    const functions = {
      helpers: importHelpers(module, 'helpers'),
      checkSegment: module.importFunction('machine', 'checkSegment', Array(4).fill(i32.type), result),
      prepare: module.importFunction('machine', 'prepare', Array(4).fill(i32.type), result),
      commit: module.importFunction('machine', 'commit', [], []),
      journal: this.checking,
    };
    for (const number of numbers) {
      const shape = this.shapes[number];
      const f = new FunctionBuilder(parameter, result);
      emitShape(
        careful ? new CarefulEmitter(f, shape, functions) : new FunctionEmitter(f, shape, functions),
        shape,
      );
      module.add(f, `shape${number}`);
    }
    const { memory, host, helpers } = this;
    const { checkSegment, prepare, commit } = host;
    const instance = new WebAssembly.Instance(new WebAssembly.Module(module.encode()), {
      machine: { memory, checkSegment, prepare, commit },
      helpers,
    });
    return numbers.map((number) => instance.exports[`shape${number}`] as ShapeFunction);
  }
}

const pairKey = (first: number, second: number) => first * 0x1_0000 + second;
