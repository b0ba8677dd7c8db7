/**
 * The interpreter against the processor that runs this: random instructions, registers, flags and memory.
 *
 *   npx tsx emulator/test/native/differential.ts --cases 1000000 --seed 1 [--vector]
 */

import { parseArgs } from 'node:util';
import { pathToFileURL } from 'node:url';
import { readRflags, writeRflags } from '../../cpu/flags.js';
import { Vector } from '../../cpu/fault.js';
import { region } from '../../cpu/layout.js';
import { EngineExit } from '../../cpu/seams.js';
import { flatMachine } from './flatMachine.js';
import type { GeneratedCase } from './generator.js';
import { generate } from './generator.js';
import { generateVector } from './vectorGenerator.js';
import type { NativeResult } from './nativeProbe.js';
import { CODE_ADDRESS, NativeProbe, probeUnavailable, WINDOW_ADDRESS, WINDOW_SIZE } from './nativeProbe.js';
import { Random } from './random.js';

const HLT = 0xf4;
const BATCH = 4000;
const LIMIT = 1000;
const SYSTEM_FLAGS = 0x202n;
const DIRECTION = 0x400n;

/** Selectors of a 64-bit Linux process: MOV from and PUSH of segment registers see them. */
const SELECTORS = {
  csSelector: 0x33,
  ssSelector: 0x2b,
  dsSelector: 0,
  esSelector: 0,
  fsSelector: 0,
  gsSelector: 0,
};

const SIGNALS: Readonly<Record<number, number>> = {
  [Vector.DE]: 8,
  [Vector.UD]: 4,
  [Vector.GP]: 11,
  [Vector.PF]: 11,
  [Vector.SS]: 7,
};

type TestMachine = ReturnType<typeof flatMachine>;

/** Runs a case on the interpreter; `step`: one instruction at a time. */
function interpret(machine: TestMachine, one: GeneratedCase, step: boolean): NativeResult {
  const { engine, memory, state } = machine;
  memory.u8.set(one.code, region.ram + CODE_ADDRESS);
  memory.u8[region.ram + CODE_ADDRESS + one.code.length] = HLT;
  engine.codeWritten(CODE_ADDRESS, one.code.length + 1);
  memory.u8.set(one.window, region.ram + WINDOW_ADDRESS);
  one.registers.forEach((value, number) => state.setGpr(number, value));
  writeRflags(state, one.flags);
  state.rip = BigInt(CODE_ADDRESS);
  let exit: EngineExit;
  let retired = 0;
  do {
    exit = engine.run(step ? 1 : LIMIT);
    retired += engine.retired;
  } while (exit === EngineExit.BUDGET && retired < LIMIT);
  const signal =
    exit === EngineExit.FAULT ? (SIGNALS[engine.fault!.vector] ?? -1) : exit === EngineExit.COLD ? 0 : -exit;
  return {
    registers: BigUint64Array.from({ length: 16 }, (_, number) => state.gpr(number)),
    flags: readRflags(state),
    window: memory.u8.slice(region.ram + WINDOW_ADDRESS, region.ram + WINDOW_ADDRESS + WINDOW_SIZE),
    signal,
  };
}

const hex = (value: bigint) => value.toString(16).padStart(16, '0');

/** What differs, in words, or undefined. */
function difference(one: GeneratedCase, native: NativeResult, ours: NativeResult): string | undefined {
  const found: string[] = [];
  if (native.signal !== ours.signal) found.push(`signal native ${native.signal}, interpreter ${ours.signal}`);
  native.registers.forEach((value, number) => {
    const mine = ours.registers[number];
    if (mine !== value)
      found.push(
        `r${number}: before ${hex(one.registers[number])} native ${hex(value)} interpreter ${hex(mine)}`,
      );
  });
  // An instruction that faulted has not changed the flags; nothing is undefined then.
  const mask = (native.signal === 0 ? BigInt(one.definedFlags) : 0x8d5n) | DIRECTION;
  if (((native.flags ^ ours.flags) & mask) !== 0n) {
    found.push(
      `flags: before ${one.flags.toString(16)} native ${(native.flags & mask).toString(16)} interpreter ${(ours.flags & mask).toString(16)}`,
    );
  }
  for (let index = 0; index < WINDOW_SIZE; index += 1) {
    if (native.window[index] === ours.window[index]) continue;
    found.push(
      `memory at window + ${index}: native ${native.window[index].toString(16)}, interpreter ${ours.window[index].toString(16)}`,
    );
    break;
  }
  if (found.length === 0) return undefined;
  const bytes = Array.from(one.code, (byte) => byte.toString(16).padStart(2, '0')).join(' ');
  return `${one.name}: ${bytes}\n  ${found.join('\n  ')}`;
}

export interface DifferentialReport {
  readonly cases: number;
  readonly mismatches: readonly string[];
  /** Cases of each mnemonic. */
  readonly coverage: ReadonlyMap<string, number>;
}

/**
 * Compares `cases` random cases. Most run as blocks; some are stepped, some with every memory access made carefully.
 * Stops collecting after 20 mismatches.
 */
export function compareWithProcessor(
  cases: number,
  seed: number,
  generateCase: (random: Random) => GeneratedCase = generate,
): DifferentialReport {
  const random = new Random(seed);
  const probe = new NativeProbe();
  const machine = flatMachine();
  Object.assign(machine.state, SELECTORS);
  machine.state.rflagsSystem = SYSTEM_FLAGS;
  const mismatches: string[] = [];
  const coverage = new Map<string, number>();
  try {
    for (let done = 0; done < cases && mismatches.length < 20; done += BATCH) {
      const batch = Array.from({ length: Math.min(BATCH, cases - done) }, () => generateCase(random));
      const native = probe.run(batch);
      batch.forEach((one, index) => {
        coverage.set(one.name, (coverage.get(one.name) ?? 0) + 1);
        machine.system.withholdAll(index % 4 === 1);
        const ours = interpret(machine, one, index % 8 === 2);
        const found = difference(one, native[index], ours);
        if (found !== undefined) mismatches.push(found);
      });
    }
  } finally {
    probe.dispose();
  }
  return { cases, mismatches, coverage };
}

function main(): void {
  const { values } = parseArgs({
    options: {
      cases: { type: 'string', default: '1000000' },
      seed: { type: 'string', default: '1' },
      vector: { type: 'boolean', default: false },
    },
  });
  const unavailable = probeUnavailable();
  if (unavailable !== undefined) {
    console.error(unavailable);
    process.exitCode = 2;
    return;
  }
  const generateCase = values.vector ? generateVector : generate;
  const report = compareWithProcessor(Number(values.cases), Number(values.seed), generateCase);
  for (const mismatch of report.mismatches) console.log(mismatch);
  console.log(
    `${report.cases} cases of ${report.coverage.size} mnemonics, seed ${values.seed}: ${report.mismatches.length} mismatches`,
  );
  if (report.mismatches.length > 0) process.exitCode = 1;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) main();
