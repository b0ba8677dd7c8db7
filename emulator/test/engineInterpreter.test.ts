/** The interpreter as an engine: budgets, blocks, code that changes, page crossings, breakpoints, watched memory. */
import assert from 'node:assert/strict';
import { readRflags, writeRflags } from '../cpu/flags.js';
import { Vector } from '../cpu/fault.js';
import { region } from '../cpu/layout.js';
import { EngineExit } from '../cpu/seams.js';
import { flatMachine } from './native/flatMachine.js';

const CODE = 0x1000;
const STACK = 0x9000;

const fromHex = (text: string) => text.split(/\s+/).map((byte) => parseInt(byte, 16));

/** A machine with code at `address` (bytes in hex) and RIP there. */
function machineWith(code: string, { address = CODE, width = 64 as 32 | 64 } = {}) {
  const machine = flatMachine({ width });
  machine.load(address, fromHex(code));
  machine.state.rip = BigInt(address);
  machine.state.rsp = BigInt(STACK);
  return {
    ...machine,
    read32: (at: number) => machine.memory.view.getUint32(region.ram + at, true),
    write32: (at: number, value: number) => machine.memory.view.setUint32(region.ram + at, value, true),
  };
}
type TestMachine = ReturnType<typeof machineWith>;

/** Runs to a HLT, in slices; answers what was retired. */
function runToHlt({ engine }: TestMachine, slice = 1000): number {
  for (let retired = 0; ;) {
    const exit = engine.run(slice);
    retired += engine.retired;
    if (exit === EngineExit.BUDGET && retired < 100_000) continue;
    assert.equal(exit, EngineExit.COLD, `fault vector ${engine.fault?.vector}`);
    assert.equal(engine.instruction?.row.mnemonic, 'hlt');
    return retired;
  }
}

/** mov ecx, 100; xor eax, eax; 1: add eax, ecx; call 2f; dec ecx; jne 1b; hlt; 2: inc edx; ret */
const LOOP = 'b9 64 00 00 00 31 c0 01 c8 e8 05 00 00 00 ff c9 75 f5 f4 ff c2 c3';
const LOOP_LENGTH = 2 + 100 * 6;

describe('interpreter', () => {
  describe('budget', () => {
    for (const slice of [1, 2, 3, 7, 64, 1000]) {
      it(`retires exactly what it may, in slices of ${slice}`, () => {
        const machine = machineWith(LOOP);
        let left = LOOP_LENGTH;
        while (left > slice) {
          assert.equal(machine.engine.run(slice), EngineExit.BUDGET);
          assert.equal(machine.engine.retired, slice);
          left -= slice;
        }
        assert.equal(runToHlt(machine), left);
        assert.equal(machine.state.rax, 5050n);
        assert.equal(machine.state.rdx, 100n);
        assert.equal(machine.state.rsp, BigInt(STACK));
      });
    }

    it('has the same state at a position however it got there', () => {
      const snapshot = (slices: readonly number[]) => {
        const { engine, state } = machineWith(LOOP);
        for (const slice of slices) assert.equal(engine.run(slice), EngineExit.BUDGET);
        return [state.rip, state.rax, state.rcx, state.rsp, readRflags(state)];
      };
      for (let position = 2; position < 60; position += 1) {
        const atOnce = snapshot([position]);
        assert.deepEqual(snapshot(Array.from({ length: position }, () => 1)), atOnce);
        assert.deepEqual(snapshot([1, position - 1]), atOnce);
      }
    });

    it('counts what was retired before a fault', () => {
      // nop; inc eax; mov ebx, [0xf0000000]; inc eax
      const { engine, state } = machineWith('90 ff c0 67 8b 1c 25 00 00 00 f0 ff c0');
      state.rip = BigInt(CODE);
      assert.equal(engine.run(100), EngineExit.FAULT);
      assert.equal(engine.retired, 2);
      assert.equal(engine.fault?.vector, Vector.PF);
      assert.equal(engine.fault?.address, 0xf000_0000n);
      assert.equal(state.rip, BigInt(CODE + 3));
      assert.equal(state.rax, 1n);
    });
  });

  describe('code that changes', () => {
    it('executes what an instruction has just written behind itself', () => {
      // mov dword [rip+0], 0x00c0ffff..: overwrites the following "mov eax, 1" with "mov eax, 7"
      const machine = machineWith('c6 05 01 00 00 00 07 b8 01 00 00 00 f4');
      machine.engine.run(1);
      machine.state.rip = BigInt(CODE);
      runToHlt(machine);
      assert.equal(machine.state.rax, 7n);
    });

    it('executes what was written into the running block', () => {
      // The same in one run: the store and its target are in one block.
      const machine = machineWith('31 db c6 05 01 00 00 00 07 b8 01 00 00 00 ff c3 f4');
      assert.equal(runToHlt(machine), 4);
      assert.equal(machine.state.rax, 7n);
      assert.equal(machine.state.rbx, 1n);
    });

    it('goes on behind an instruction that writes into itself', () => {
      // The block begins with: inc byte [its own ModRM], which makes it "dec byte"
      const machine = machineWith('fe 05 fb ff ff ff ff c0 f4');
      assert.equal(runToHlt(machine), 2);
      assert.equal(machine.state.rax, 1n);
      assert.equal(machine.read32(CODE) & 0xffff, 0x06fe);
    });

    it('drops blocks that other blocks link to', () => {
      // 1: add dword [counter], 1; the immediate of the callee "mov eax, imm" is rewritten in a loop of 5
      // mov ecx, 5; 1: mov [0x1100 + 1], ecx; call 0x1100; add ebx, eax; dec ecx; jne 1b; hlt
      const machine = machineWith('b9 05 00 00 00 89 0c 25 01 11 00 00 e8 ef 00 00 00 01 c3 ff c9 75 ee f4');
      machine.load(0x1100, fromHex('b8 00 00 00 00 c3'));
      runToHlt(machine);
      assert.equal(machine.state.rbx, 15n);
    });

    it('drops what is written by others', () => {
      const machine = machineWith('b8 01 00 00 00 f4');
      runToHlt(machine);
      machine.load(CODE + 1, [9]);
      machine.engine.codeWritten(CODE + 1, 1);
      machine.state.rip = BigInt(CODE);
      runToHlt(machine);
      assert.equal(machine.state.rax, 9n);
    });
  });

  describe('page crossings', () => {
    it('executes an instruction that lies on two pages', () => {
      // nop; mov eax, 0x12345678 across 0x2000; inc eax; dec ecx; jne; hlt
      const machine = machineWith('90 b8 78 56 34 12 ff c0 ff c9 75 f4 f4', { address: 0x1ffc });
      machine.state.rcx = 3n;
      assert.equal(runToHlt(machine), 15);
      assert.equal(machine.state.rax, 0x1234_5679n);
    });

    it('sees a change of its second page', () => {
      const machine = machineWith('90 b8 78 56 34 12 f4', { address: 0x1ffc });
      runToHlt(machine);
      machine.load(0x2001, [0xaa]);
      machine.engine.codeWritten(0x2001, 1);
      machine.state.rip = 0x1ffcn;
      runToHlt(machine);
      assert.equal(machine.state.rax, (0xaa34_5678n & 0xffff_ffffn) | 0n);
    });

    it('accesses operands on two pages', () => {
      // mov [0x2ffe], eax; add dword [0x2ffe], 0x01010101; mov ebx, [0x2ffe]; push [0x2ffe]; hlt
      const machine = machineWith(
        '89 04 25 fe 2f 00 00 81 04 25 fe 2f 00 00 01 01 01 01 8b 1c 25 fe 2f 00 00 ff 34 25 fe 2f 00 00 f4',
      );
      machine.state.rax = 0x1020_3040n;
      machine.state.rsp = 0x4004n;
      assert.equal(runToHlt(machine), 4);
      assert.equal(machine.state.rbx, 0x1121_3141n);
      assert.equal(machine.read32(0x2ffe), 0x1121_3141);
      assert.equal(machine.read32(0x3ffc), 0x1121_3141);
      assert.equal(machine.state.rsp, 0x3ffcn);
    });

    it('changes nothing when the second page faults', () => {
      // add [end - 2], eax; push rax with RSP across the end
      for (const code of ['01 03', '50', '87 03', '0f b1 0b', 'c8 00 00 00', '8f 03', '48 a5']) {
        const machine = machineWith(code);
        const end = machine.memory.ramSize;
        machine.state.rax = 5n;
        machine.state.rbx = BigInt(end - 2);
        machine.state.rdi = BigInt(end - 2);
        if (code === '50' || code.startsWith('c8')) machine.state.rsp = BigInt(end + 4);
        const before = [machine.state.rax, machine.state.rsp, machine.state.rbp, machine.state.rdi];
        assert.equal(machine.engine.run(1), EngineExit.FAULT, code);
        assert.equal(machine.engine.fault?.vector, Vector.PF);
        assert.equal(machine.engine.fault?.address, BigInt(end));
        assert.equal(machine.state.rip, BigInt(CODE));
        const after = [machine.state.rax, machine.state.rsp, machine.state.rbp, machine.state.rdi];
        assert.deepEqual(after, before, code);
      }
    });
  });

  describe('breakpoints', () => {
    it('stops before the instruction, and goes over it', () => {
      const machine = machineWith(LOOP);
      const callee = BigInt(CODE + 19);
      machine.breakpoints.add(callee);
      machine.engine.breakpointsChanged();
      let retired = 0;
      for (let hit = 1; hit <= 100; hit += 1) {
        assert.equal(machine.engine.run(10_000), EngineExit.BREAKPOINT);
        retired += machine.engine.retired;
        assert.equal(machine.state.rip, callee);
        assert.equal(machine.state.rdx, BigInt(hit - 1));
        assert.equal(machine.engine.run(10_000), EngineExit.BREAKPOINT);
        assert.equal(machine.engine.retired, 0);
        machine.engine.resumeOverBreakpoint();
      }
      assert.equal(retired + runToHlt(machine), LOOP_LENGTH);
    });

    it('splits a block that exists', () => {
      const machine = machineWith('ff c0 ff c0 ff c0 f4');
      runToHlt(machine);
      machine.breakpoints.add(BigInt(CODE + 2));
      machine.engine.breakpointsChanged();
      machine.state.rip = BigInt(CODE);
      assert.equal(machine.engine.run(100), EngineExit.BREAKPOINT);
      assert.equal(machine.engine.retired, 1);
      machine.breakpoints.clear();
      machine.engine.breakpointsChanged();
      runToHlt(machine);
      assert.equal(machine.state.rax, 6n);
    });

    it('is hit once by a repeated string instruction', () => {
      const machine = machineWith('f3 aa f4');
      machine.state.rcx = 10n;
      machine.state.rdi = 0x3000n;
      machine.breakpoints.add(BigInt(CODE));
      machine.engine.breakpointsChanged();
      assert.equal(machine.engine.run(100), EngineExit.BREAKPOINT);
      machine.engine.resumeOverBreakpoint();
      runToHlt(machine);
      assert.equal(machine.state.rcx, 0n);
    });

    it('is gone over when its instruction faults', () => {
      // ud2
      const { engine, state } = machineWith('0f 0b');
      state.rip = BigInt(CODE);
      engine.resumeOverBreakpoint();
      assert.equal(engine.run(10), EngineExit.FAULT);
      assert.equal(engine.fault?.vector, Vector.UD);
    });
  });

  describe('watched memory', () => {
    it('stops behind the instruction that touched it, not behind its neighbours', () => {
      // mov [0x3000], eax; mov [0x3010], eax; mov ebx, [0x3010]; hlt
      const machine = machineWith('89 04 25 00 30 00 00 89 04 25 10 30 00 00 8b 1c 25 10 30 00 00 f4');
      machine.system.watched = { first: 0x3010, last: 0x3013 };
      machine.state.rax = 42n;
      assert.equal(machine.engine.run(100), EngineExit.WATCHPOINT);
      assert.equal(machine.engine.retired, 2);
      assert.equal(machine.state.rip, BigInt(CODE + 14));
      assert.equal(machine.engine.run(100), EngineExit.WATCHPOINT);
      assert.equal(machine.state.rbx, 42n);
      runToHlt(machine);
    });
  });

  describe('exceptions', () => {
    const raises = (code: string, vector: number, set: (machine: TestMachine) => void = () => undefined) => {
      const machine = machineWith(code);
      set(machine);
      assert.equal(machine.engine.run(10), EngineExit.FAULT, code);
      assert.equal(machine.engine.fault?.vector, vector, code);
      assert.equal(machine.state.rip, BigInt(CODE), code);
      assert.equal(machine.engine.retired, 0);
      assert.equal(machine.state.rsp, BigInt(STACK));
    };

    it('come before any change', () => {
      raises('f7 f1', Vector.DE);
      raises('48 f7 f9', Vector.DE, ({ state }) => {
        state.rdx = 1n << 63n;
        state.rcx = BigInt.asUintN(64, -1n);
      });
      raises('0f 0b', Vector.UD);
      raises('0f 04', Vector.UD);
      raises('f0 90', Vector.UD);
      raises('66 66 66 66 66 66 66 66 66 66 66 66 66 66 90', Vector.GP, ({ load }) =>
        load(CODE + 14, [0x66]),
      );
      // Near branches to non-canonical addresses fault at the branch (SDM 2B, RET).
      const nonCanonical = (machine: TestMachine) => {
        machine.state.rax = 0x8000_0000_0000n;
        machine.memory.view.setBigUint64(region.ram + STACK, machine.state.rax, true);
      };
      raises('ff e0', Vector.GP, nonCanonical);
      raises('ff d0', Vector.GP, nonCanonical);
      raises('c3', Vector.GP, nonCanonical);
      // CMPXCHG16B wants alignment.
      raises('48 0f c7 0c 25 08 30 00 00', Vector.GP);
    });

    it('of a fetch are raised at the instruction that could not be fetched', () => {
      const machine = machineWith('ff e0');
      machine.state.rax = BigInt(machine.memory.ramSize);
      assert.equal(machine.engine.run(10), EngineExit.FAULT);
      assert.equal(machine.engine.retired, 1);
      assert.equal(machine.state.rip, BigInt(machine.memory.ramSize));
      assert.equal(machine.engine.fault?.address, BigInt(machine.memory.ramSize));
    });

    it('names what is not implemented', () => {
      const { engine } = machineWith('90 0f 58 c1');
      assert.equal(engine.run(10), EngineExit.UNIMPLEMENTED);
      assert.equal(engine.unimplemented, 'addps');
      assert.equal(engine.retired, 1);
    });
  });

  describe('segments in 64-bit mode', () => {
    it('add the bases of FS and GS', () => {
      // mov eax, fs:[0x10]; mov gs:[rbx], eax; lea rcx, gs:[rbx]; hlt
      const machine = machineWith('64 8b 04 25 10 00 00 00 65 89 03 65 48 8d 0b f4');
      machine.state.fsBase = 0x3000n;
      machine.state.gsBase = 0x4000n;
      machine.state.rbx = 8n;
      machine.write32(0x3010, 77);
      runToHlt(machine);
      assert.equal(machine.read32(0x4008), 77);
      assert.equal(machine.state.rcx, 8n);
    });
  });

  describe('32-bit code', () => {
    it('wraps addresses at 4 GBytes and keeps the stack in ESP', () => {
      // mov eax, [ebx + ecx*4 + 8]; push eax; call 1f; 1: pop edx; pusha; popa; hlt
      const machine = machineWith('8b 44 8b 08 50 e8 00 00 00 00 5a 60 61 f4', { width: 32 });
      machine.state.rbx = 0xffff_fff8n;
      machine.state.rcx = 0x400n;
      machine.write32(0x1000 + 0, machine.read32(0x1000));
      runToHlt(machine);
      assert.equal(machine.state.rax, BigInt(machine.read32(0x1000)));
      assert.equal(machine.state.rdx, BigInt(CODE + 10));
      assert.equal(machine.read32(STACK - 4), machine.read32(0x1000));
      assert.equal(machine.state.rsp, BigInt(STACK - 4));
    });

    it('checks limits and rights of segments that are not flat', () => {
      const run = (code: string, set: (machine: TestMachine) => void) => {
        const machine = machineWith(code, { width: 32 });
        set(machine);
        const exit = machine.engine.run(1);
        return exit === EngineExit.FAULT ? machine.engine.fault?.vector : machine.state.rax;
      };
      // mov eax, [0x10] behind a base, at the limit, beyond it
      const load = 'a1 10 00 00 00';
      const small = (limit: number) => (machine: TestMachine) => {
        machine.state.dsBase = 0x3000n;
        machine.state.dsLimit = limit;
        machine.write32(0x3010, 5);
      };
      assert.equal(run(load, small(0x13)), 5n);
      assert.equal(run(load, small(0x12)), Vector.GP);
      // A read-only segment, an unusable one, writing through CS.
      const store = 'a3 10 00 00 00';
      assert.equal(
        run(store, ({ state }) => void (state.dsAccess = 0xc091)),
        Vector.GP,
      );
      assert.equal(
        run(load, ({ state }) => void (state.dsAccess = 0x1_0000)),
        Vector.GP,
      );
      assert.equal(
        run(`2e ${store}`, () => undefined),
        Vector.GP,
      );
      // Expand-down: offsets above the limit are valid.
      const down = (limit: number) => (machine: TestMachine) => {
        machine.state.dsAccess = 0xc097;
        machine.state.dsLimit = limit;
        machine.write32(0x10, 6);
      };
      assert.equal(run(load, down(0xf)), 6n);
      assert.equal(run(load, down(0x10)), Vector.GP);
      // The stack segment raises #SS; the code segment bounds branches.
      assert.equal(
        run('50', ({ state }) => void (state.ssLimit = 0x100)),
        Vector.SS,
      );
      assert.equal(
        run('e9 00 10 00 00', ({ state }) => void (state.csLimit = 0x1fff)),
        Vector.GP,
      );
    });

    /** Vectors by SDM 2A pseudocode: instruction, AX and flags before, AX and flags after. */
    const adjustments: readonly (readonly [
      code: string,
      ax: number,
      flags: number,
      axAfter: number,
      after: number,
    ])[] = [
      ['27', 0x00ae, 0x00, 0x0014, 0x15], // DAA
      ['27', 0x0099, 0x10, 0x009f, 0x94],
      ['27', 0x0035, 0x01, 0x0095, 0x85],
      ['2f', 0x00ee, 0x00, 0x0088, 0x95], // DAS
      ['2f', 0x0003, 0x10, 0x00fd, 0x91],
      ['37', 0x000b, 0x00, 0x0101, 0x11], // AAA: CF, AF
      ['37', 0x0205, 0x10, 0x030b & 0xff0f, 0x11],
      ['3f', 0x020f, 0x00, 0x0109, 0x11], // AAS
      ['d4 0a', 0x0035, 0x00, 0x0503, 0x04], // AAM
      ['d5 0a', 0x0503, 0x00, 0x0035, 0x04], // AAD
    ];
    it('adjusts decimal numbers', () => {
      for (const [code, ax, flags, axAfter, after] of adjustments) {
        const machine = machineWith(code, { width: 32 });
        machine.state.rax = BigInt(ax);
        writeRflags(machine.state, BigInt(flags) | 2n);
        machine.engine.run(1);
        assert.equal(machine.state.rax.toString(16), axAfter.toString(16), code);
        // AAA and AAS define CF and AF alone; AAM and AAD SF, ZF and PF.
        const defined = code === '37' || code === '3f' ? 0x11n : code.startsWith('d') ? 0xc4n : 0xd5n;
        assert.equal(readRflags(machine.state) & defined, BigInt(after) & defined, code);
      }
    });

    it('checks array bounds and adjusts RPL', () => {
      // bound eax, [0x3000]
      const bound = (index: number) => {
        const machine = machineWith('62 05 00 30 00 00', { width: 32 });
        machine.write32(0x3000, -5 >>> 0);
        machine.write32(0x3004, 10);
        machine.state.rax = BigInt(index >>> 0);
        return machine.engine.run(1) === EngineExit.FAULT ? machine.engine.fault?.vector : 'in';
      };
      assert.deepEqual([bound(-6), bound(-5), bound(10), bound(11)], [Vector.BR, 'in', 'in', Vector.BR]);
      // arpl ax, cx
      const arpl = machineWith('63 c8', { width: 32 });
      arpl.state.rax = 0x1230n;
      arpl.state.rcx = 3n;
      arpl.engine.run(1);
      assert.equal(arpl.state.rax, 0x1233n);
      assert.equal(readRflags(arpl.state) & 0x40n, 0x40n);
    });
  });

  describe('16-bit code', () => {
    it('has 16-bit offsets, stack pointer and instruction pointer', () => {
      // mov ax, [bx+si+4]; push ax; call 1f; hlt; 1: ret
      const machine = machineWith('8b 40 04 50 e8 01 00 f4 c3', { width: 32 });
      machine.state.csAccess = 0x809b;
      machine.state.ssAccess = 0x8093;
      machine.state.csBase = 0x400n;
      machine.state.rip = BigInt(CODE - 0x400);
      machine.state.rsp = 0xabcd_0002n;
      machine.state.ssBase = 0x10_0000n;
      machine.state.rbx = 0xfff0n;
      machine.state.rsi = 0x3010n;
      machine.write32(0x3004, 0x8765);
      assert.equal(runToHlt(machine), 4);
      // The stack wrapped: SP 0002, 0000, FFFE, 0000. The offset of the load did too.
      assert.equal(machine.state.rsp, 0xabcd_0000n);
      assert.equal(machine.read32(0x10_0000) & 0xffff, 0x8765);
      assert.equal(machine.read32(0x10_fffe) & 0xffff, CODE - 0x400 + 7);
    });
  });

  describe('repeated string instructions', () => {
    it('count an iteration as an instruction and can be interrupted between them', () => {
      const machine = machineWith('f3 48 a5 f4');
      machine.state.rsi = 0x3000n;
      machine.state.rdi = 0x4ffcn;
      machine.state.rcx = 6n;
      for (let word = 0; word < 12; word += 1) machine.write32(0x3000 + 4 * word, word);
      assert.equal(machine.engine.run(2), EngineExit.BUDGET);
      assert.equal(machine.state.rip, BigInt(CODE));
      assert.equal(machine.state.rcx, 4n);
      assert.equal(runToHlt(machine), 4);
      assert.equal(machine.read32(0x4ffc + 44), 11);
      assert.equal(machine.state.rdi, BigInt(0x4ffc + 48));
    });
  });
});
