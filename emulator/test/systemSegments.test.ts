/** Segment loads and far transfers. */
import { strict as assert } from 'assert';
import { arithmeticFlags } from '../cpu/flags.js';
import { Rflags } from '../cpu/registerBits.js';
import { runProcessor } from '../cpu/run.js';
import type { Mode, System } from './systemFixture.js';
import { at, execute, hex, selector, where } from './systemFixture.js';

const MOV_DS_EAX = [0x8e, 0xd8];
const MOV_SS_EAX = [0x8e, 0xd0];

describe('segment loads', () => {
  const check = (
    name: string,
    code: number[],
    value: number,
    expect: string,
    how: { mode?: Mode; user?: boolean } = {},
  ) =>
    it(name, () => {
      const { system, outcome } = execute(code, ({ state }) => (state.rax = BigInt(value)), how);
      assert.equal(outcome, expect);
      if (outcome !== 'ok') return;
      const register = code === MOV_DS_EAX ? 'ds' : 'ss';
      assert.equal(system.state[`${register}Selector`], value);
    });
  check('DS: data', MOV_DS_EAX, selector.kernelData, 'ok');
  check('DS: null', MOV_DS_EAX, 3, 'ok');
  check('DS: conforming code from any level', MOV_DS_EAX, selector.conforming | 3, 'ok', { user: true });
  check('DS: code that cannot be read', MOV_DS_EAX, selector.executeOnly, '#13(48)');
  check('DS: a system segment', MOV_DS_EAX, selector.tss, '#13(30)');
  check('DS: RPL above DPL', MOV_DS_EAX, selector.kernelData | 3, '#13(10)');
  check('DS: CPL above DPL', MOV_DS_EAX, selector.kernelData, '#13(10)', { user: true });
  check('DS: not present', MOV_DS_EAX, selector.absentData, '#11(40)');
  check('DS: beyond the GDT', MOV_DS_EAX, 0x108, '#13(108)');
  check('DS: LDT without one', MOV_DS_EAX, 0x14, '#13(14)');
  check('SS: data', MOV_SS_EAX, selector.kernelData, 'ok');
  check('SS: null in 64-bit mode', MOV_SS_EAX, 0, 'ok');
  check('SS: null of another level', MOV_SS_EAX, 1, '#13(0)');
  check('SS: null in protected mode', MOV_SS_EAX, 0, '#13(0)', { mode: 'protected' });
  check('SS: null of user code', MOV_SS_EAX, 3, '#13(0)', { user: true });
  check('SS: read-only', MOV_SS_EAX, selector.readOnly, '#13(58)');
  check('SS: code', MOV_SS_EAX, selector.kernelCode, '#13(8)');
  check('SS: RPL is not CPL', MOV_SS_EAX, selector.userData, '#13(20)');
  check('SS: not present', MOV_SS_EAX, selector.absentData, '#12(40)');

  it('sets the accessed bit in the table', () => {
    const { system } = execute(MOV_DS_EAX, (before) => {
      before.poke(at.gdt + 0x70, 0x00cf_9200_0000_ffffn);
      before.state.rax = 0x70n;
    });
    assert.equal((system.peek(at.gdt + 0x70) >> 40n) & 0xffn, 0x93n);
    assert.equal(system.state.dsAccess & 0xff, 0x93);
  });

  it('LTR makes the TSS busy, and refuses a busy one', () => {
    const ltr = [0x0f, 0x00, 0xd8];
    const free = execute(ltr, (system) => {
      system.poke(at.gdt + 0x70, 0x0000_8900_3000_0067n);
      system.poke(at.gdt + 0x78, 0x1n);
      system.state.rax = 0x70n;
    });
    assert.equal(free.outcome, 'ok');
    assert.deepEqual([hex(free.system.state.trBase), free.system.state.trAccess], ['100003000', 0x8b]);
    assert.equal((free.system.peek(at.gdt + 0x70) >> 40n) & 0xffn, 0x8bn);
    assert.equal(execute(ltr, ({ state }) => (state.rax = BigInt(selector.tss))).outcome, '#13(30)');
  });

  it('LAR, LSL, VERR, VERW tell what may be seen', () => {
    const seen = (code: number[], value: number, user = false): string => {
      const { system, outcome } = execute(code, ({ state }) => (state.rcx = BigInt(value)), { user });
      const zero = (arithmeticFlags(system.state) & Number(Rflags.ZF)) !== 0;
      return `${outcome} ${zero ? hex(system.state.rax) : '-'}`;
    };
    const lar = [0x0f, 0x02, 0xc1];
    const lsl = [0x0f, 0x03, 0xc1];
    assert.equal(seen(lar, selector.kernelData), 'ok c09300');
    assert.equal(seen(lar, selector.kernelData, true), 'ok -');
    assert.equal(seen(lar, 0), 'ok -');
    assert.equal(seen(lsl, selector.kernelData), 'ok ffffffff');
    assert.equal(seen(lsl, selector.tss), 'ok 8067');
    assert.equal(seen([0x0f, 0x00, 0xe1], selector.executeOnly), 'ok -');
    assert.equal(seen([0x0f, 0x00, 0xe1], selector.readOnly), 'ok 0');
    assert.equal(seen([0x0f, 0x00, 0xe9], selector.readOnly), 'ok -');
  });
});

describe('far transfers', () => {
  /** A call gate at 0x68 (16 bytes) to the kernel code segment. */
  const callGate = (system: System, dpl: number, code: number = selector.kernelCode): void => {
    system.poke(
      at.gdt + selector.callGate,
      BigInt((code << 16) | at.handlers) | (BigInt(0x8c00 | (dpl << 13)) << 32n),
    );
    system.poke(at.gdt + selector.callGate + 8, 0n);
  };
  const CALL_FAR = [0xff, 0x1c, 0x25, 0x00, 0xb0, 0x00, 0x00];
  const JMP_FAR = [0xff, 0x2c, 0x25, 0x00, 0xb0, 0x00, 0x00];
  const RETFQ = [0x48, 0xcb];
  const pointer = (system: System, to: number, offset = 0x7000): void =>
    system.poke(at.data, BigInt(offset) | (BigInt(to) << 32n));
  it('jumps and calls within the level', () => {
    const jump = execute(JMP_FAR, (system) => pointer(system, selector.kernelCode));
    assert.equal(where(jump.system), '8:7000 10:8000');
    const call = execute(CALL_FAR, (system) => pointer(system, selector.kernelCode));
    assert.equal(where(call.system), '8:7000 10:7ff8');
    assert.equal(call.system.peek(0x7ff8), 0x8_0000_4007n);
  });

  it('calls an inner level through a gate, and returns', () => {
    const { system } = execute(
      CALL_FAR,
      (before) => {
        callGate(before, 3);
        pointer(before, selector.callGate);
      },
      { user: true },
    );
    assert.equal(where(system), '8:6000 0:7fe0');
    assert.deepEqual(
      [0, 8, 16, 24].map((offset) => hex(system.peek(0x7fe0 + offset))),
      ['5007', '2b', 'a000', '23'],
    );
    system.code(at.handlers, ...RETFQ);
    runProcessor(system.processor, 1);
    assert.equal(where(system), '2b:5007 23:a000');
  });

  const refused = (
    name: string,
    code: number[],
    to: number,
    expect: string,
    set: (system: System) => void = () => undefined,
  ) =>
    it(name, () => {
      const { outcome } = execute(
        code,
        (system) => {
          pointer(system, to);
          set(system);
        },
        { user: true },
      );
      assert.equal(outcome, expect);
    });
  refused('a gate of an inner level', CALL_FAR, selector.callGate, '#13(68)', (system) =>
    callGate(system, 0),
  );
  refused('a jump through a gate to an inner level', JMP_FAR, selector.callGate, '#13(8)', (system) =>
    callGate(system, 3),
  );
  refused('an inner code segment', JMP_FAR, selector.kernelCode, '#13(8)');
  refused('null', JMP_FAR, 0, '#13(0)');
  refused('data', JMP_FAR, selector.userData, '#13(20)');
  refused('a TSS in IA-32e mode', JMP_FAR, selector.tss, '#13(30)');
  refused('absent code', CALL_FAR, selector.absentCode, '#13(60)');

  it('a jump to a TSS outside IA-32e mode stops with its name', () => {
    const { outcome } = execute(
      [0xff, 0x2d, 0x00, 0xb0, 0x00, 0x00],
      (system) => {
        system.poke(at.gdt + 0x70, 0x0000_8900_3000_0067n);
        pointer(system, 0x70);
      },
      { mode: 'protected' },
    );
    assert.equal(outcome, 'task switch (jump, selector 0x70)');
  });

  it('from 64-bit to compatibility mode and back', () => {
    const { system } = execute(JMP_FAR, (before) => {
      before.poke(at.gdt + 0x70, 0x00cf_9a00_0000_ffffn);
      pointer(before, 0x70);
    });
    assert.equal(where(system), '70:7000 10:8000');
    system.code(0x7000, 0xea, 0x00, 0x40, 0x00, 0x00, 0x08, 0x00);
    runProcessor(system.processor, 1);
    assert.equal(where(system), '8:4000 10:8000');
  });
});
