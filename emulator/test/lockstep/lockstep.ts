/**
 * The interpreter and the compiler in lockstep: random programs run on one machine of each kind, stopped at random
 * instruction counts, interrupted, changed; the state must be the same at every stop.
 *
 *   npx tsx emulator/test/lockstep/lockstep.ts [--sequences 1000000] [--seed 1]
 */
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { readRflags, writeRflags } from '../../cpu/flags.js';
import type { CompilerChoice } from '../../cpu/interpreter/interpreter.js';
import { region } from '../../cpu/layout.js';
import { EngineExit } from '../../cpu/seams.js';
import { flatMachine } from '../native/flatMachine.js';
import { Random } from '../native/random.js';
import type { Program } from './program.js';
import {
  CODE,
  CODE_SIZE,
  DATA,
  DATA_SIZE,
  HANDLER,
  randomProgram,
  RETURN_SLOT,
  STACK_TOP,
} from './program.js';

/** Everything is hot. */
const EAGER: CompilerChoice = { sample: 150, hot: 1, batch: 1, longestWait: 1, perByte: 0 };
const STOPS = 24;
const RAM = 0x10_0000;
const STACK_SIZE = 0x1000;

type Machine = ReturnType<typeof flatMachine>;

function start(machine: Machine, { code, entries, registers }: Program): void {
  const { engine, state, memory, system, load } = machine;
  // HLT everywhere else: a program that loses its way stops.
  memory.u8.fill(0xf4, region.ram, region.ram + RAM);
  system.codePages.clear();
  system.flushTlb();
  for (let at = 0; at < DATA_SIZE; at += 1) memory.u8[region.ram + DATA + at] = (at * 167) >> 3;
  load(CODE, code);
  registers.forEach((value, number) => state.setGpr(number, value));
  state.rip = BigInt(entries[0]);
  writeRflags(state, 2n);
  // Everything decoded or compiled is forgotten.
  engine.breakpointsChanged();
}

const hex = (value: bigint | number) => value.toString(16);

/** What differs between the machines, or undefined. */
function difference(interpreter: Machine, compiler: Machine, everything = false): string | undefined {
  const found: string[] = [];
  const compare = (name: string, a: bigint, b: bigint) => {
    if (a !== b) found.push(`${name}: interpreter ${hex(a)}, compiler ${hex(b)}`);
  };
  compare('rip', interpreter.state.rip, compiler.state.rip);
  for (let number = 0; number < 16; number += 1) {
    compare(`r${number}`, interpreter.state.gpr(number), compiler.state.gpr(number));
  }
  compare('rflags', readRflags(interpreter.state), readRflags(compiler.state));
  for (const [from, size] of [
    [CODE, CODE_SIZE],
    [DATA, DATA_SIZE],
    [STACK_TOP - STACK_SIZE, 2 * STACK_SIZE],
    ...(everything ? [[0, RAM]] : []),
  ]) {
    const bytes = ({ memory }: Machine) => Buffer.from(memory.u8.buffer, region.ram + from, size);
    if (bytes(interpreter).equals(bytes(compiler))) continue;
    const at = bytes(interpreter).findIndex((byte, index) => byte !== bytes(compiler)[index]);
    found.push(
      `memory at ${hex(from + at)}: interpreter ${hex(bytes(interpreter)[at])}, compiler ${hex(bytes(compiler)[at])}`,
    );
  }
  return found.length > 0 ? found.join('\n  ') : undefined;
}

/** Why a run came back, in words that both machines must share. */
function outcome({ engine }: Machine, exit: EngineExit): string {
  const fault = exit === EngineExit.FAULT ? ` ${engine.fault?.vector} ${engine.fault?.address}` : '';
  return `exit ${exit}${fault}, ${engine.retired} retired`;
}

/** Runs one program to random stops; answers what went wrong, or undefined. */
export function runSequence(interpreter: Machine, compiler: Machine, random: Random): string | undefined {
  const program = randomProgram(random);
  const both = [interpreter, compiler];
  for (const machine of both) start(machine, program);
  for (let stop = 0; stop < STOPS; stop += 1) {
    const count = 1 + random.below(random.pick([3, 40, 300, 3000]));
    const [first, second] = both.map((machine) => outcome(machine, machine.engine.run(count)));
    const different =
      first === second ? difference(interpreter, compiler, stop === STOPS - 1) : `${first} against ${second}`;
    if (different !== undefined) return `stop ${stop} after at most ${count} instructions\n  ${different}`;
    const stuck = !first.startsWith(`exit ${EngineExit.BUDGET}`);
    disturb(both, random, program, stuck);
  }
  return undefined;
}

/** What happens between two runs: an interrupt, a write into the code from outside, a new beginning. */
function disturb(both: readonly Machine[], random: Random, { entries }: Program, stuck: boolean): void {
  const kind = random.below(8);
  const place = random.below(CODE_SIZE);
  const value = random.below(256);
  const entry = BigInt(random.pick(entries));
  for (const { engine, memory, state } of both) {
    if (stuck) {
      state.rip = entry;
      state.rsp = BigInt(STACK_TOP);
    } else if (kind < 3) {
      memory.view.setBigUint64(region.ram + RETURN_SLOT, state.rip, true);
      state.rip = BigInt(HANDLER);
    }
    if (kind === 3) engine.flushJumpCache();
    if (kind === 4 && value < 64) {
      memory.u8[region.ram + CODE + place] = value;
      engine.codeWritten(CODE + place, 1);
    }
  }
}

/** Runs `sequences` programs; answers the first failures. */
export function lockstep(
  sequences: number,
  seed: number,
  progress?: (done: number) => void,
  { from = 0, checkCompiler = false } = {},
): string[] {
  const machines = () => [
    flatMachine({ ramSize: RAM, compiler: 'off' }),
    flatMachine({ ramSize: RAM, compiler: EAGER, checkCompiler }),
  ];
  let [interpreter, compiler] = machines();
  const failures: string[] = [];
  for (let done = from; done < sequences && failures.length < 5; done += 1) {
    const failure = runSequence(interpreter, compiler, new Random(seed * 0x100_0000 + done));
    if (failure !== undefined) {
      failures.push(`sequence ${done} of seed ${seed}: ${failure}`);
      [interpreter, compiler] = machines();
    }
    if (done % 1000 === 999) progress?.(done + 1);
  }
  return failures;
}

function main(): void {
  const { values } = parseArgs({
    options: { sequences: { type: 'string', default: '1000000' }, seed: { type: 'string', default: '1' } },
  });
  const begin = performance.now();
  const failures = lockstep(Number(values.sequences), Number(values.seed), (done) => {
    if (done % 10_000 === 0)
      console.log(`${done} sequences, ${((performance.now() - begin) / 1000).toFixed(0)} s`);
  });
  for (const failure of failures) console.log(failure);
  console.log(`${values.sequences} sequences, seed ${values.seed}: ${failures.length} failures`);
  if (failures.length > 0) process.exitCode = 1;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) main();
