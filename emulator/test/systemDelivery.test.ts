/** Delivery of exceptions and interrupts, and the returns from them. */
import { strict as assert } from 'assert';
import { readRflags, writeRflags } from '../cpu/flags.js';
import { Activity, Cr0, Interruptibility, Rflags } from '../cpu/registerBits.js';
import type { RunStop } from '../cpu/run.js';
import { runProcessor } from '../cpu/run.js';
import type { Mode, System } from './systemFixture.js';
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
const INT = (vector: number): number[] => [0xcd, vector];
const IRETQ = [0x48, 0xcf];

describe('event delivery', () => {
  interface Case {
    readonly mode?: Mode;
    readonly user?: boolean;
    readonly code: number[];
    readonly set?: (system: System) => void;
    readonly words: number;
    readonly size?: 2 | 4 | 8;
    /** CS:RIP SS:RSP and the frame. */
    readonly expect: [where: string, frame: string];
  }
  const cases: Record<string, Case> = {
    'exception without privilege change: aligned frame with SS:RSP': {
      code: UD2,
      set: (system) => {
        setGate(system, 6);
        system.state.rsp = 0x7ff9n;
      },
      words: 5,
      expect: ['8:6060 10:7fc8', '4000 8 10002 7ff9 10'],
    },
    'exception from user code: null SS, stack from the TSS': {
      user: true,
      code: UD2,
      set: (system) => setGate(system, 6),
      words: 5,
      expect: ['8:6060 0:7fd8', '5000 2b 10002 a000 23'],
    },
    'interrupt stack table': {
      code: UD2,
      set: (system) => setGate(system, 6, { ist: 1 }),
      words: 5,
      expect: ['8:6060 10:8fd8', '4000 8 10002 8000 10'],
    },
    'INT n returns behind the instruction, without RF': {
      user: true,
      code: INT(0x80),
      set: (system) => setGate(system, 0x80, { dpl: 3, type: 15 }),
      words: 5,
      expect: ['8:6800 0:7fd8', '5002 2b 2 a000 23'],
    },
    'INT n through a gate of privilege level 0 is #GP with the IDT bit, EXT clear': {
      user: true,
      code: INT(0x80),
      set: (system) => {
        setGate(system, 0x80);
        setGate(system, 13);
      },
      words: 6,
      expect: ['8:60d0 0:7fd0', '402 5000 2b 10002 a000 23'],
    },
    'an exception through an absent gate is #NP with IDT and EXT': {
      code: UD2,
      set: (system) => {
        setGate(system, 6, { present: false });
        setGate(system, 11);
      },
      words: 6,
      expect: ['8:60b0 10:7fd0', '33 4000 8 10002 8000 10'],
    },
    'a gate to a code segment that is not 64-bit is #GP of the selector with EXT': {
      code: UD2,
      set: (system) => {
        setGate(system, 6, { code: selector.userCode32 });
        setGate(system, 13);
      },
      words: 6,
      expect: ['8:60d0 10:7fd0', '19 4000 8 10002 8000 10'],
    },
    'a gate to an absent code segment is #NP of the selector': {
      code: UD2,
      set: (system) => {
        setGate(system, 6, { code: selector.absentCode });
        setGate(system, 11);
      },
      words: 6,
      expect: ['8:60b0 10:7fd0', '61 4000 8 10002 8000 10'],
    },
    'a TSS that is too short is #TS of its selector': {
      user: true,
      code: UD2,
      set: (system) => {
        setGate(system, 6);
        setGate(system, 10, { ist: 1 });
        system.state.trLimit = 0x2b;
        system.poke(at.tss + 0x24, 0n);
        system.state.trLimit = 0x0b - 1;
        setGate(system, 8);
      },
      words: 0,
      // #TS needs a stack of the same TSS: double fault, and then a triple fault.
      expect: ['2b:5000 23:a000', ''],
    },
    '#PF: error code on the stack': {
      user: true,
      code: [NOP],
      set: (system) => {
        setGate(system, 14);
        system.poke(at.tables + 0x3000 + 5 * 8, 0x5000n | 3n);
      },
      words: 6,
      expect: ['8:60e0 0:7fd0', '15 5000 2b 10002 a000 23'],
    },
    'a #GP while a #GP is delivered is a double fault with error code 0': {
      code: [0xcd, 0x80],
      set: (system) => {
        setGate(system, 13, { code: selector.userCode32 });
        setGate(system, 8);
      },
      words: 6,
      expect: ['8:6080 10:7fd0', '0 4000 8 2 8000 10'],
    },
    '32-bit, same privilege': {
      mode: 'protected',
      code: UD2,
      set: (system) => setGate(system, 6, {}, 'protected'),
      words: 3,
      size: 4,
      expect: ['8:6060 10:7ff4', '4000 8 10002'],
    },
    '32-bit, from user code: SS:ESP of the TSS': {
      mode: 'protected',
      user: true,
      code: INT(0x80),
      set: (system) => setGate(system, 0x80, { dpl: 3 }, 'protected'),
      words: 5,
      size: 4,
      expect: ['8:6800 10:7fec', '5002 1b 2 a000 23'],
    },
    '16-bit gate': {
      mode: 'protected',
      code: UD2,
      set: (system) => setGate(system, 6, { type: 6 }, 'protected'),
      words: 3,
      size: 2,
      expect: ['8:6060 10:7ffa', '4000 8 2'],
    },
    'a conforming handler keeps the privilege level': {
      user: true,
      code: INT(0x80),
      set: (system) => setGate(system, 0x80, { dpl: 3, code: selector.conforming }),
      words: 5,
      expect: ['53:6800 23:9fd8', '5002 2b 2 a000 23'],
    },
  };
  for (const [name, { mode = 'long', user, code, set, words, size, expect }] of Object.entries(cases)) {
    it(name, () => {
      const system = createSystem(mode);
      system.code(user ? at.userCode : at.kernelCode, ...code);
      if (user) enterUser(system, mode);
      set?.(system);
      const stop = run(system);
      if (words === 0) assert.equal(stop.kind, 'fatal');
      assert.deepEqual([where(system), frame(system, words, size)], expect);
    });
  }

  it('an interrupt gate clears IF, a trap gate does not; both clear TF, NT and RF', () => {
    for (const [type, expected] of [
      [14, 2n],
      [15, 2n | Rflags.IF],
    ] as const) {
      const system = createSystem();
      setGate(system, 0x80, { type });
      system.code(at.kernelCode, ...INT(0x80));
      system.state.rflagsSystem |= Rflags.IF | Rflags.NT | Rflags.RF;
      run(system);
      assert.equal(readRflags(system.state), expected);
    }
  });

  it('#PF loads CR2; one that a double fault swallowed as well', () => {
    const system = createSystem();
    setGate(system, 14);
    system.state.rip = 0x1_2345_6789n;
    run(system);
    assert.equal(hex(system.state.cr2), '123456789');
    assert.equal(system.state.rip, BigInt(handler(14)));
  });

  it('no IDT at all: a triple fault, told with the vector it began with', () => {
    const system = createSystem();
    system.state.idtrLimit = 0;
    system.code(at.kernelCode, ...UD2);
    const stop = run(system, 10);
    assert.equal(stop.kind === 'fatal' && stop.reason, 'tripleFault');
    assert.match(stop.kind === 'fatal' ? stop.detail : '', /^vector 13 with error code 0x43/);
    assert.equal(system.state.activity, Activity.SHUTDOWN);
  });

  it('a task gate stops with its name', () => {
    const system = createSystem('protected');
    setGate(system, 6, { type: 5 }, 'protected');
    system.code(at.kernelCode, ...UD2);
    const stop = run(system);
    assert.match(stop.kind === 'unimplemented' ? stop.what : '', /task switch \(taskGate/);
  });

  it('real-address mode: through the vector table at 0', () => {
    const system = createSystem('protected');
    const { state } = system;
    state.cr0 &= ~(Cr0.PG | Cr0.PE);
    state.csSelector = 0x300;
    state.csBase = 0x3000n;
    state.csAccess = 0x9b;
    state.ssAccess = 0x93;
    state.rip = 0x1000n;
    state.idtrBase = 0n;
    system.processor.contextChanged();
    system.poke(0x80 * 4, 0x0600_0012n, 4);
    system.code(at.kernelCode, ...INT(0x80));
    run(system);
    assert.deepEqual([where(system), frame(system, 3, 2)], ['600:12 10:7ffa', '1002 300 2']);
    assert.equal(state.csBase, 0x6000n);
    // And back by IRET.
    system.code(0x6012, 0xcf);
    run(system);
    assert.equal(where(system), '300:1002 10:8000');
  });
});

describe('returns', () => {
  const pushed = (system: System, ...words: number[]): void => {
    system.state.rsp = BigInt(at.kernelStack - words.length * 8);
    words.forEach((word, i) => system.poke(Number(system.state.rsp) + i * 8, BigInt(word)));
  };
  const USER_FRAME = [at.userCode, selector.userCode, 0x202, at.userStack, selector.userData];

  /** IRETQ with this frame: where it leads, or the fault. */
  const checkIret = (name: string, words: number[], expect: string, set?: (system: System) => void) =>
    it(name, () => {
      const system = createSystem();
      for (const vector of [10, 11, 12, 13]) setGate(system, vector, { ist: 1 });
      system.code(at.kernelCode, ...IRETQ);
      pushed(system, ...words);
      set?.(system);
      run(system);
      const vector = (Number(system.state.rip) - at.handlers) / 16;
      const fault = vector >= 0 && vector < 32 && system.state.csSelector === selector.kernelCode;
      const found = fault ? `#${vector}(${hex(system.peek(Number(system.state.rsp)))})` : where(system);
      assert.equal(found, expect);
    });
  checkIret('IRETQ to user code', USER_FRAME, '2b:5000 23:a000');
  checkIret(
    'IRETQ to compatibility mode',
    [at.userCode, selector.userCode32, 2, 0x1_0000_9000, selector.userData],
    '1b:5000 23:9000',
  );
  checkIret(
    'IRETQ within the level also pops SS:RSP',
    [at.data, selector.kernelCode, 2, 0x7000, 0],
    '8:b000 0:7000',
  );
  checkIret('null CS', [0, 0, 2, 0, 0], '#13(0)');
  checkIret('CS is data', [0, selector.kernelData, 2, 0, 0], '#13(10)');
  checkIret('absent CS', [0, selector.absentCode, 2, 0, 0], '#11(60)');
  checkIret('CS beyond the GDT', [0, 0x108, 2, 0, 0], '#13(108)');
  checkIret('RPL is not DPL', [0, selector.kernelCode | 3, 2, 0, 0], '#13(8)');
  checkIret('null SS for user code', [at.userCode, selector.userCode, 2, 0, 3], '#13(0)');
  checkIret('SS of another level', [at.userCode, selector.userCode, 2, 0, selector.kernelData], '#13(10)');
  checkIret('RIP is not canonical', [2 ** 47, selector.userCode, 2, 0, selector.userData], '#13(0)');
  checkIret('NT in IA-32e mode', USER_FRAME, '#13(0)', ({ state }) => (state.rflagsSystem |= Rflags.NT));

  it('IRETQ to user code drops data segments of inner levels, and unblocks NMIs', () => {
    const system = createSystem();
    system.code(at.kernelCode, ...IRETQ);
    pushed(system, ...USER_FRAME);
    system.state.interruptibility = Interruptibility.NMI;
    run(system);
    assert.deepEqual([system.state.dsSelector, system.state.dsAccess], [0, 0x1_0000]);
    assert.deepEqual([system.state.cpl, system.state.interruptibility], [3, 0]);
  });

  it('IRET of user code changes neither IOPL nor IF', () => {
    const system = createSystem();
    enterUser(system);
    system.code(at.userCode, ...IRETQ);
    system.state.rsp = BigInt(at.kernelStack - 40);
    [at.userCode + 0x10, selector.userCode, 0x3ed7, at.userStack, selector.userData].forEach((word, i) =>
      system.poke(at.kernelStack - 40 + i * 8, BigInt(word)),
    );
    run(system);
    assert.equal(hex(readRflags(system.state)), 'cd7');
  });

  it('SYSCALL and SYSRET', () => {
    const system = createSystem();
    const { state } = system;
    state.star = (0x0018n << 48n) | (0x0008n << 32n);
    state.lstar = BigInt(at.handlers);
    state.fmask = Rflags.IF | Rflags.DF;
    enterUser(system);
    system.code(at.userCode, 0x0f, 0x05);
    system.code(at.handlers, 0x48, 0x0f, 0x07);
    writeRflags(state, 0x602n | Rflags.CF | Rflags.IF);
    run(system);
    assert.equal(where(system), '8:6000 10:a000');
    assert.deepEqual(
      [state.cpl, hex(readRflags(state)), hex(state.rcx), hex(state.r11)],
      [0, '3', '5002', '603'],
    );
    run(system);
    assert.equal(where(system), '2b:5002 23:a000');
    assert.deepEqual([state.cpl, hex(readRflags(state)), hex(state.csAccess)], [3, '603', 'a0fb']);
  });

  it('SYSRETQ to a non-canonical RCX is #GP(0) at privilege level 0', () => {
    const system = createSystem();
    setGate(system, 13);
    system.state.rcx = 1n << 47n;
    system.code(at.kernelCode, 0x48, 0x0f, 0x07);
    run(system);
    assert.equal(where(system), '8:60d0 10:7fd0');
  });

  it('SYSENTER and SYSEXIT', () => {
    const system = createSystem();
    const { state } = system;
    state.sysenterCs = 8n;
    state.sysenterEsp = 0x7000n;
    state.sysenterEip = BigInt(at.handlers);
    enterUser(system);
    system.code(at.userCode, 0x0f, 0x34);
    system.code(at.handlers, 0x48, 0x0f, 0x35);
    run(system);
    assert.equal(where(system), '8:6000 10:7000');
    state.rcx = 0x9000n;
    state.rdx = BigInt(at.userCode + 2);
    run(system);
    assert.equal(where(system), '2b:5002 33:9000');
  });
});
