/** The run loop: counting, interrupts and their shadows, traps, stops. */
import { strict as assert } from 'assert';
import { Activity, Cr0, Interruptibility, Rflags } from '../cpu/registerBits.js';
import type { RunStop } from '../cpu/run.js';
import { runProcessor } from '../cpu/run.js';
import type { System } from './systemFixture.js';
import { at, createSystem, enterUser, hex, selector, setGate, where } from './systemFixture.js';

const handler = (vector: number): number => at.handlers + vector * 16;
const run = ({ processor }: System, budget = 1): RunStop => runProcessor(processor, budget).stop;

/** The words of the frame on the stack, from the stack pointer up. */
const frame = (system: System, words: number, size: 2 | 4 | 8 = 8): string =>
  Array.from({ length: words }, (_, i) => hex(system.peek(Number(system.state.rsp) + i * size, size))).join(
    ' ',
  );

const NOP = 0x90;
const UD2 = [0x0f, 0x0b];
const HLT = 0xf4;
const STI = 0xfb;
const IRETQ = [0x48, 0xcf];

describe('the run loop', () => {
  it('counts exactly, and stops at the budget', () => {
    const system = createSystem();
    system.code(at.kernelCode, NOP, NOP, NOP, NOP, NOP);
    const result = runProcessor(system.processor, 3);
    assert.deepEqual(
      [result.stop.kind, result.retired, system.state.rip],
      ['budget', 3, BigInt(at.kernelCode + 3)],
    );
    assert.equal(system.clock.now, 3);
  });

  it('a timer fires at its exact position', () => {
    const system = createSystem();
    setGate(system, 0x20);
    system.code(at.kernelCode, ...Array<number>(20).fill(NOP));
    system.code(handler(0x20), NOP, NOP);
    system.state.rflagsSystem |= Rflags.IF;
    system.clock.nextEvent = 7;
    system.clock.due = () => system.apic.requested.push(0x20);
    run(system, 8);
    assert.deepEqual([where(system), frame(system, 1)], ['8:6201 10:7fd8', hex(at.kernelCode + 7)]);
  });

  it('STI blocks interrupts for one instruction, so that STI; HLT wakes', () => {
    const system = createSystem();
    setGate(system, 0x20);
    system.code(at.kernelCode, STI, HLT, NOP);
    system.apic.requested = [0x20];
    run(system, 2);
    assert.equal(system.state.activity, Activity.HLT);
    run(system, 1);
    assert.equal(frame(system, 3), `${hex(at.kernelCode + 2)} 8 202`);
    assert.equal(system.state.activity, Activity.ACTIVE);
  });

  it('STI with IF set already blocks nothing', () => {
    const system = createSystem();
    setGate(system, 0x20);
    system.code(at.kernelCode, STI, NOP);
    system.state.rflagsSystem |= Rflags.IF;
    run(system, 1);
    system.apic.requested = [0x20];
    run(system, 1);
    assert.equal(frame(system, 1), hex(at.kernelCode + 1));
  });

  it('MOV SS holds interrupts, NMIs and the single-step trap off for one instruction', () => {
    const system = createSystem();
    setGate(system, 2);
    setGate(system, 1);
    // mov ss, eax; nop; nop
    system.code(at.kernelCode, 0x8e, 0xd0, NOP, NOP);
    system.state.rax = BigInt(selector.kernelData);
    system.state.rflagsSystem |= Rflags.TF;
    run(system, 1);
    assert.equal(system.state.rip, BigInt(at.kernelCode + 2));
    system.apic.nmiPending = true;
    run(system, 2);
    // The trap of the NOP first, then the NMI on top of it.
    assert.deepEqual([frame(system, 1), system.state.rip], [hex(at.kernelCode + 3), BigInt(handler(1))]);
    system.code(handler(1), NOP);
    system.code(handler(2), NOP);
    run(system, 1);
    assert.equal(frame(system, 1), hex(handler(1)));
    assert.equal(system.state.interruptibility, Interruptibility.NMI);
  });

  it('HLT without anything pending is idle', () => {
    const system = createSystem();
    system.code(at.kernelCode, HLT);
    const { stop, retired } = runProcessor(system.processor, 10);
    assert.deepEqual([stop.kind, retired], ['idle', 1]);
  });

  it('an NMI wakes HLT; the next one waits for IRET', () => {
    const system = createSystem();
    setGate(system, 2);
    system.code(at.kernelCode, HLT);
    system.code(handler(2), NOP, ...IRETQ);
    run(system, 1);
    system.apic.nmiPending = true;
    run(system, 1);
    system.apic.nmiPending = true;
    run(system, 1);
    assert.equal(where(system), '8:4001 10:8000');
    system.code(at.kernelCode + 1, NOP);
    run(system, 1);
    assert.equal(frame(system, 1), hex(at.kernelCode + 1));
  });

  it('TF traps after each instruction with DR6.BS, RIP behind it', () => {
    const system = createSystem();
    setGate(system, 1);
    system.code(at.kernelCode, NOP, NOP);
    system.state.rflagsSystem |= Rflags.TF;
    run(system, 1);
    assert.deepEqual(
      [where(system), frame(system, 3)],
      ['8:6010 10:7fd8', `${hex(at.kernelCode + 1)} 8 102`],
    );
    assert.equal(hex(system.state.dr6), 'ffff4ff0');
  });

  it('a breakpoint stops before the instruction, even behind a repeated chunk; over it when asked', () => {
    const system = createSystem('long', { isBreakpoint: (address) => address === BigInt(at.kernelCode + 1) });
    system.code(at.kernelCode, NOP, 0xf3, 0x6e, NOP);
    system.state.rcx = 3n;
    system.state.rsi = BigInt(at.data);
    assert.equal(run(system, 10).kind, 'breakpoint');
    assert.equal(run(system, 10).kind, 'breakpoint');
    const { stop, retired } = runProcessor(system.processor, 4, { overBreakpoint: true });
    assert.deepEqual([stop.kind, retired, system.state.rip], ['budget', 4, BigInt(at.kernelCode + 4)]);
  });

  it('the exception hook stops before delivery; going on delivers once', () => {
    let asked = 0;
    const system = createSystem('long', { onException: () => ++asked === 1 });
    setGate(system, 6);
    system.code(at.kernelCode, NOP, ...UD2);
    const stop = run(system, 10);
    assert.deepEqual(
      [stop.kind, stop.kind === 'exception' && stop.fault.vector, system.state.rip],
      ['exception', 6, 0x4001n],
    );
    runProcessor(system.processor, 1, { overException: true });
    assert.deepEqual([asked, where(system)], [1, '8:6060 10:7fd8']);
  });

  it('a stopped single-step trap is not lost', () => {
    let asked = 0;
    const system = createSystem('long', { onException: () => ++asked === 1 });
    setGate(system, 1);
    system.code(at.kernelCode, NOP, NOP);
    system.state.rflagsSystem |= Rflags.TF;
    assert.equal(run(system, 10).kind, 'exception');
    runProcessor(system.processor, 1, { overException: true });
    assert.equal(where(system), '8:6010 10:7fd8');
  });

  it('a handler that faults for ever uses up the budget', () => {
    const system = createSystem();
    setGate(system, 6, { ist: 1 });
    system.code(handler(6), ...UD2);
    system.code(at.kernelCode, ...UD2);
    assert.equal(run(system, 1000).kind, 'budget');
  });

  it('a watched stack word is hit by event delivery', () => {
    const system = createSystem();
    setGate(system, 6);
    system.code(at.kernelCode, ...UD2);
    system.processor.setWatchpoints([
      { id: 1, address: BigInt(at.kernelStack - 8), length: 8, access: 'write' },
    ]);
    const stop = run(system, 10);
    assert.deepEqual(stop.kind === 'watchpoint' && stop.hits.map(({ address }) => hex(address)), ['7ff8']);
  });

  it('what it does not have stops with its name', () => {
    const system = createSystem();
    system.state.cr0 |= Cr0.AM;
    enterUser(system);
    // push 0x40002; popfq: AC at privilege level 3 under CR0.AM
    system.state.rsp -= 8n;
    system.poke(at.userStack - 8, 0x4_0002n);
    system.code(at.userCode, 0x9d);
    const stop = run(system);
    assert.match(stop.kind === 'unimplemented' ? stop.what : '', /alignment checking/);
  });
});
