/** Repeated string instructions many iterations at a time against one iteration at a time: the same at every position. */
import assert from 'node:assert/strict';
import { readRflags, writeRflags } from '../cpu/flags.js';
import { region } from '../cpu/layout.js';
import { EngineExit } from '../cpu/seams.js';
import { flatMachine } from './native/flatMachine.js';
import { Random } from './native/random.js';

const RAM = 0x4_0000;
const CODE = 0x1000;
/** Where operands lie: whole pages, the last one at the end of RAM, behind which accesses fault. */
const DATA = 0x3_0000;
const LONG_SLICE = 20_000;
const DIRECTION = 0x400n;

const OPCODES = { movs: 0xa4, cmps: 0xa6, stos: 0xaa, lods: 0xac, scas: 0xae };

interface StringCase {
  readonly code: readonly number[];
  readonly rax: bigint;
  readonly rcx: bigint;
  readonly rsi: bigint;
  readonly rdi: bigint;
  readonly flags: bigint;
  /** Seed of the data, and how many values its bytes have. */
  readonly seed: number;
  readonly values: number;
}

function address(random: Random, near: bigint): bigint {
  const page = BigInt(DATA + random.below(16) * 4096);
  switch (random.below(4)) {
    case 0:
      return near + BigInt(random.below(24) - 12);
    case 1:
      return page + BigInt(random.below(32));
    case 2:
      return page + 4096n - BigInt(1 + random.below(32));
    default:
      return page + BigInt(random.below(4096));
  }
}

function randomCase(random: Random): StringCase {
  const name = random.pick(Object.keys(OPCODES) as (keyof typeof OPCODES)[]);
  const wide = random.below(4);
  const prefixes = [
    random.pick([0xf2, 0xf3]),
    ...(random.oneIn(6) ? [0x67] : []),
    ...[[], [], [0x66], [0x48]][wide],
  ];
  const rsi = address(random, BigInt(DATA));
  const counts = [random.below(20), random.below(300), random.below(9000)];
  return {
    code: [...prefixes, OPCODES[name] + (wide === 0 ? 0 : 1), 0xf4],
    rax: random.oneIn(3) ? BigInt(random.below(3)) * 0x0101_0101_0101_0101n : random.operand(),
    rcx: BigInt(random.pick(counts)),
    rsi,
    rdi: address(random, rsi),
    flags: 0x2n | (random.oneIn(3) ? DIRECTION : 0n),
    seed: random.next(),
    values: random.pick([1, 2, 256]),
  };
}

function prepare(machine: TestMachine, one: StringCase): TestMachine {
  const { memory, state, engine } = machine;
  machine.load(CODE, one.code);
  engine.codeWritten(CODE, one.code.length);
  const data = new Random(one.seed);
  for (let at = region.ram + DATA; at < region.ram + RAM; at++) {
    memory.u8[at] = data.oneIn(50) ? data.next() : data.below(one.values);
  }
  state.rax = one.rax;
  state.rcx = one.rcx;
  state.rsi = one.rsi;
  state.rdi = one.rdi;
  writeRflags(state, one.flags);
  state.rip = BigInt(CODE);
  return machine;
}

const newMachine = () => flatMachine({ ramSize: RAM });
const machineFor = (one: StringCase): TestMachine => prepare(newMachine(), one);
type TestMachine = ReturnType<typeof newMachine>;

/** Runs `count` instructions in slices of at most `slice`; answers the last exit. */
function advance({ engine }: TestMachine, count: number, slice: number): EngineExit {
  for (let left = count; left > 0; left -= engine.retired) {
    const exit = engine.run(Math.min(left, slice));
    if (exit !== EngineExit.BUDGET) return exit;
  }
  return EngineExit.BUDGET;
}

function registers({ state, engine }: TestMachine) {
  const { rip, rax, rcx, rsi, rdi } = state;
  return { rip, rax, rcx, rsi, rdi, flags: readRflags(state), fault: engine.fault };
}

const data = ({ memory }: TestMachine): Uint8Array => memory.u8.subarray(region.ram + DATA, region.ram + RAM);

/** Random slices on one machine, single instructions on the other: the same state wherever a slice ends. */
function check(batches: TestMachine, single: TestMachine, random: Random): void {
  const one = randomCase(random);
  prepare(batches, one);
  prepare(single, one);
  for (let position = 0; ;) {
    const count = 1 + random.below(random.pick([10, 1000, LONG_SLICE]));
    const exit = advance(batches, count, count);
    position += count;
    const where = `up to position ${position} of ${one.code}, seed ${one.seed}`;
    assert.equal(advance(single, count, 1), exit, where);
    assert.deepEqual(registers(batches), registers(single), where);
    assert.equal(Buffer.compare(data(batches), data(single)), 0, `memory ${where}`);
    if (exit !== EngineExit.BUDGET) return;
  }
}

describe('repeated string instructions', () => {
  it('are the same at every position, many iterations at a time or one', () => {
    const random = new Random(20);
    const [batches, single] = [newMachine(), newMachine()];
    for (let count = 0; count < 200; count++) check(batches, single, random);
  }).timeout(20_000);

  it('count what they retire, and stop in the middle where an element faults', () => {
    const one = {
      code: [0xf3, 0xa4, 0xf4],
      rax: 0n,
      rcx: 10_000n,
      rsi: BigInt(DATA),
      rdi: BigInt(RAM - 5000),
      flags: 2n,
    };
    const machine = machineFor({ ...one, seed: 1, values: 256 });
    assert.equal(machine.engine.run(1_000_000), EngineExit.FAULT);
    assert.equal(machine.engine.retired, 5000);
    assert.equal(machine.engine.fault?.address, BigInt(RAM));
    assert.equal(machine.state.rcx, 5000n);
    assert.equal(machine.state.rip, BigInt(CODE));
  });

  it('touch a watched page element by element', () => {
    const one = { code: [0xf3, 0xaa, 0xf4], rax: 0n, rcx: 9000n, rsi: 0n, rdi: BigInt(DATA), flags: 2n };
    const machine = machineFor({ ...one, seed: 1, values: 256 });
    machine.system.watched = { first: DATA + 5000, last: DATA + 5000 };
    assert.equal(machine.engine.run(1_000_000), EngineExit.WATCHPOINT);
    assert.equal(machine.engine.retired, 5001);
    assert.equal(machine.state.rdi, BigInt(DATA + 5001));
  });
});
