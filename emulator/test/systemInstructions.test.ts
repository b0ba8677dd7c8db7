/** Cold instructions: strings, ports, control registers, MSRs, CPUID. */
import { strict as assert } from 'assert';
import { coldInstructions } from '../cpu/cold/index.js';
import { arithmeticFlags } from '../cpu/flags.js';
import { region } from '../cpu/layout.js';
import { Cr0, Cr4, Efer, Rflags } from '../cpu/registerBits.js';
import { runProcessor } from '../cpu/run.js';
import { instructionRows } from '../isa/instructions/index.js';
import type { Mode, System } from './systemFixture.js';
import { at, createSystem, execute, hex, setGate, step } from './systemFixture.js';

describe('the table of cold instructions', () => {
  it('has a meaning for every row that the instruction table calls cold', () => {
    const { processor } = createSystem();
    const names = instructionRows
      .filter(({ kind }) => kind === 'cold')
      .map((row) => row.semantics ?? row.mnemonic);
    assert.ok(names.length > 50);
    assert.deepEqual(
      [...new Set(names)].filter((name) => !processor.semantics(name)),
      [],
    );
  });

  it('has no meaning that no row names', () => {
    const names = new Set(instructionRows.map((row) => row.semantics ?? row.mnemonic));
    assert.deepEqual(
      Object.keys(coldInstructions).filter((name) => !names.has(name)),
      [],
    );
  });
});

describe('string instructions', () => {
  const bytes = (system: System, address: number, count: number): number[] => [
    ...system.processor.memory.u8.subarray(region.ram + address, region.ram + address + count),
  ];
  /** rSI, rDI, rCX. */
  const registers = ({ state }: System): string => [state.rsi, state.rdi, state.rcx].map(hex).join(' ');
  const prepare = (from: number, to: number, count: number) => (system: System) => {
    for (let i = 0; i < 64; i++) system.processor.memory.u8[region.ram + from + i] = i + 1;
    system.state.rsi = BigInt(from);
    system.state.rdi = BigInt(to);
    system.state.rcx = BigInt(count);
  };
  /** Runs a repeated instruction to its end or its fault. */
  const finish = (system: System): string => {
    for (;;) {
      const outcome = step(system);
      if (outcome !== 'ok' || system.state.rip !== BigInt(at.kernelCode)) return outcome;
    }
  };
  /** One string instruction with its REP prefix, executed to its end. */
  const repeated = (code: number[], set: (system: System) => void): { system: System; outcome: string } => {
    const system = createSystem();
    system.code(at.kernelCode, ...code);
    set(system);
    return { system, outcome: finish(system) };
  };

  it('REP MOVSB copies across pages', () => {
    const { system } = repeated([0xf3, 0xa4], prepare(0xbff0, 0xd000, 0x20));
    assert.equal(registers(system), 'c010 d020 0');
    assert.deepEqual(bytes(system, 0xd000, 0x21), [...Array.from({ length: 0x20 }, (_, i) => i + 1), 0]);
  });

  it('a copy upward onto its source repeats the pattern', () => {
    const { system } = repeated([0xf3, 0xa4], prepare(0xb000, 0xb002, 6));
    assert.deepEqual(bytes(system, 0xb000, 9), [1, 2, 1, 2, 1, 2, 1, 2, 9]);
  });

  it('goes down with DF', () => {
    const { system } = repeated([0xf3, 0xa5], (before) => {
      prepare(0xb000, 0xb010, 3)(before);
      before.state.rsi = 0xb008n;
      before.state.rflagsSystem |= Rflags.DF;
    });
    assert.equal(registers(system), 'affc b004 0');
    assert.deepEqual(bytes(system, 0xb008, 12), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
  });

  it('a fault in the middle leaves the state at the element, and the instruction goes on after', () => {
    const entry = at.tables + 0x3000 + 0xe * 8;
    const { system, outcome } = repeated([0xf3, 0x48, 0xab], (before) => {
      prepare(0xb000, 0xdff4, 4)(before);
      before.state.rax = 0x0807_0605_0403_0201n;
      before.poke(entry, 0n);
    });
    assert.equal(outcome, '#14(2)');
    assert.equal(hex(system.state.cr2), 'e000');
    assert.equal(registers(system), 'b000 dffc 3');
    assert.deepEqual(bytes(system, 0xdff4, 12), [1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0]);
    system.poke(entry, 0xe000n | 7n);
    system.state.rip = BigInt(at.kernelCode);
    finish(system);
    assert.equal(registers(system), 'b000 e014 0');
    assert.deepEqual(bytes(system, 0xe00c, 9), [1, 2, 3, 4, 5, 6, 7, 8, 0]);
  });

  it('REPE CMPSB and REPNE SCASB stop where the comparison says', () => {
    const compare = repeated([0xf3, 0xa6], (before) => {
      prepare(0xb000, 0xd000, 10)(before);
      before.processor.memory.u8.set([1, 2, 3, 9], region.ram + 0xd000);
    });
    assert.equal(registers(compare.system), 'b004 d004 6');
    // 4 - 9: CF, AF, SF; 0xfb has an odd number of bits.
    assert.equal(hex(arithmeticFlags(compare.system.state)), '91');
    const scan = repeated([0xf2, 0xae], (before) => {
      prepare(0xb000, 0xb000, 100)(before);
      before.state.rax = 7n;
    });
    assert.equal(registers(scan.system), 'b000 b007 5d');
    assert.equal(hex(arithmeticFlags(scan.system.state)), '44');
  });

  it('a count of zero does nothing at all', () => {
    const { system, outcome } = execute([0xf3, 0xa4], prepare(0xffff_ffff, 0xffff_ffff, 0));
    assert.deepEqual([outcome, system.state.rip], ['ok', BigInt(at.kernelCode + 2)]);
  });

  it('interrupts are taken between iterations; the return address is the instruction', () => {
    const { system } = execute([0xf3, 0xa4], (before) => {
      prepare(0xb000, 0xd000, 9)(before);
      before.state.rflagsSystem |= Rflags.IF;
    });
    setGate(system, 0x20);
    system.code(at.handlers + 0x200, 0x90);
    system.apic.requested = [0x20];
    runProcessor(system.processor, 1);
    assert.equal(registers(system), 'b001 d001 8');
    assert.equal(system.peek(Number(system.state.rsp)), BigInt(at.kernelCode));
  });

  it('INSD and OUTSD', () => {
    const input = repeated([0xf3, 0x6d], (before) => {
      prepare(0xb000, 0xd000, 2)(before);
      before.state.rdx = 0x1_0060n;
    });
    assert.equal(registers(input.system), 'b000 d008 0');
    assert.equal(hex(input.system.peek(0xd000)), '4433221144332211');
    const output = repeated([0xf3, 0x66, 0x6f], (before) => {
      prepare(0xb000, 0xd000, 2)(before);
      before.state.rdx = 0x60n;
    });
    assert.deepEqual(output.system.bus.log, ['out 60/2=201', 'out 60/2=403']);
  });

  it('with TF one element at a time', () => {
    const system = createSystem();
    setGate(system, 1);
    system.code(at.kernelCode, 0xf3, 0xa4);
    prepare(0xb000, 0xd000, 3)(system);
    system.state.rflagsSystem |= Rflags.TF;
    runProcessor(system.processor, 1);
    assert.equal(registers(system), 'b001 d001 2');
    assert.equal(system.peek(Number(system.state.rsp)), BigInt(at.kernelCode));
  });

  it('INS checks the destination before it reads the port', () => {
    const { system, outcome } = execute([0xf3, 0x6c], (before) => {
      prepare(0xb000, 0xd000, 2)(before);
      before.state.rdx = 0x60n;
      before.poke(at.tables + 0x3000 + 0xd * 8, 0n);
    });
    assert.equal(outcome, '#14(2)');
    assert.deepEqual(system.bus.log, []);
  });
});

describe('ports', () => {
  const check = (name: string, bitmap: number, limit: number, expect: string) =>
    it(name, () => {
      const { system, outcome } = execute(
        // in ax, 0x47
        [0x66, 0xe5, 0x47],
        (before) => {
          before.processor.memory.view.setUint16(region.ram + at.tss + 0x68 + 8, bitmap, true);
          before.state.trLimit = limit;
        },
        { user: true },
      );
      assert.equal(outcome, expect);
      assert.deepEqual(system.bus.log, expect === 'ok' ? ['in 47/2'] : []);
    });
  check('the bitmap allows both bytes', 0, 0x8067, 'ok');
  check('one of the bytes is not allowed', 0x0100, 0x8067, '#13(0)');
  check('the bitmap ends before the second byte', 0, 0x70, '#13(0)');

  it('IOPL opens all ports', () => {
    const { outcome, system } = execute([0xe6, 0x80], ({ state }) => (state.rflagsSystem |= 3n << 12n), {
      user: true,
    });
    assert.deepEqual([outcome, system.bus.log], ['ok', ['out 80/1=0']]);
  });
});

describe('control registers', () => {
  const CR = {
    cr0: [0x0f, 0x22, 0xc0],
    cr3: [0x0f, 0x22, 0xd8],
    cr4: [0x0f, 0x22, 0xe0],
    cr8: [0x44, 0x0f, 0x22, 0xc0],
  };
  const check = (
    name: string,
    code: number[],
    value: (system: System) => bigint,
    expect: string,
    mode: Mode = 'long',
  ) =>
    it(name, () => {
      const { outcome } = execute(code, (system) => (system.state.rax = value(system)), { mode });
      assert.equal(outcome, expect);
    });
  check('CR0: upper half', CR.cr0, ({ state }) => state.cr0 | (1n << 32n), '#13(0)');
  check('CR0: PG without PE', CR.cr0, ({ state }) => state.cr0 & ~Cr0.PE, '#13(0)');
  check('CR0: NW without CD', CR.cr0, ({ state }) => state.cr0 | Cr0.NW, '#13(0)');
  check('CR0: paging off in 64-bit mode', CR.cr0, ({ state }) => state.cr0 & ~Cr0.PG, '#13(0)');
  check('CR0: reserved bits are ignored', CR.cr0, ({ state }) => state.cr0 | (1n << 10n), 'ok');
  check('CR3: address bit 40', CR.cr3, ({ state }) => state.cr3 | (1n << 40n), '#13(0)');
  check('CR4: a bit that is not offered', CR.cr4, ({ state }) => state.cr4 | Cr4.LA57, '#13(0)');
  check('CR4: PAE off in IA-32e mode', CR.cr4, ({ state }) => state.cr4 & ~Cr4.PAE, '#13(0)');
  check('CR4: VMXE', CR.cr4, ({ state }) => state.cr4 | Cr4.VMXE, 'ok');
  check('CR8: above 15', CR.cr8, () => 16n, '#13(0)');
  check('CR1', [0x0f, 0x22, 0xc8], () => 0n, '#6()');

  it('entering IA-32e mode: LMA follows LME and PG, and needs PAE', () => {
    const enter = (cr4: bigint) =>
      execute(
        [0x0f, 0x22, 0xc0],
        ({ state, processor }) => {
          state.rax = state.cr0;
          state.cr0 &= ~Cr0.PG;
          state.cr4 = cr4;
          state.efer = Efer.LME;
          processor.contextChanged();
        },
        { mode: 'protected' },
      );
    assert.equal(enter(0n).outcome, '#13(0)');
    const entered = enter(Cr4.PAE);
    assert.equal(entered.system.state.efer, Efer.LME | Efer.LMA);
  });

  it('CR3 under PAE loads the PDPTE registers, and refuses reserved bits', () => {
    const load = (entry: bigint) =>
      execute(
        [0x0f, 0x22, 0xd8],
        ({ state, poke, processor }) => {
          // Kernel page tables in PAE form: identity by a 2-MByte page.
          state.cr4 = Cr4.PAE;
          poke(0xc020, BigInt(at.data) | 1n);
          poke(0xc028, entry);
          poke(at.data, 0x83n);
          state.pdpte0 = BigInt(at.data) | 1n;
          state.rax = 0xc020n;
          processor.flushTlb();
          processor.contextChanged();
        },
        { mode: 'protected' },
      );
    assert.equal(load(0x7000n | 2n).outcome, 'ok');
    assert.equal(load(0x7001n).system.state.pdpte1, 0x7001n);
    assert.equal(load(0x7001n | 2n).system.state.pdpte1, 0n);
  });

  it('privileged instructions are #GP(0) outside level 0', () => {
    const privileged: Record<string, number[]> = {
      hlt: [0xf4],
      'mov cr0': CR.cr0,
      'mov dr7': [0x0f, 0x23, 0xf8],
      wrmsr: [0x0f, 0x30],
      rdmsr: [0x0f, 0x32],
      lgdt: [0x0f, 0x01, 0x10],
      ltr: [0x0f, 0x00, 0xd8],
      invlpg: [0x0f, 0x01, 0x38],
      wbinvd: [0x0f, 0x09],
      clts: [0x0f, 0x06],
      lmsw: [0x0f, 0x01, 0xf0],
      swapgs: [0x0f, 0x01, 0xf8],
      cli: [0xfa],
      sti: [0xfb],
      'in al, dx': [0xec],
    };
    for (const [name, code] of Object.entries(privileged)) {
      assert.equal(
        execute(code, ({ state }) => (state.trLimit = 0x67), { user: true }).outcome,
        '#13(0)',
        name,
      );
    }
  });

  it('what CPUID does not offer is #UD', () => {
    const absent: Record<string, number[]> = {
      monitor: [0x0f, 0x01, 0xc8],
      mwait: [0x0f, 0x01, 0xc9],
      xgetbv: [0x0f, 0x01, 0xd0],
      vmfunc: [0x0f, 0x01, 0xd4],
      vmrun: [0x0f, 0x01, 0xd8],
      vmmcall: [0x0f, 0x01, 0xd9],
      rsm: [0x0f, 0xaa],
      ud2: [0x0f, 0x0b],
      'rdfsbase without CR4.FSGSBASE': [0xf3, 0x0f, 0xae, 0xc0],
    };
    for (const [name, code] of Object.entries(absent)) assert.equal(execute(code).outcome, '#6()', name);
  });
});

describe('MSRs, time and identification', () => {
  const WRMSR = [0x0f, 0x30];
  const RDMSR = [0x0f, 0x32];
  const write = (index: number, value: bigint) =>
    execute(WRMSR, ({ state }) => {
      state.rcx = BigInt(index);
      state.rax = value & 0xffff_ffffn;
      state.rdx = value >> 32n;
    });
  const check = (name: string, index: number, value: bigint, expect: string) =>
    it(name, () => assert.equal(write(index, value).outcome, expect));
  check('EFER: LME while paging', 0xc000_0080, Efer.SCE, '#13(0)');
  check('EFER: reserved', 0xc000_0080, Efer.LME | (1n << 12n), '#13(0)');
  check('EFER: NXE off', 0xc000_0080, Efer.LME | Efer.SCE, 'ok');
  check('LSTAR: not canonical', 0xc000_0082, 1n << 47n, '#13(0)');
  check('PAT: type 2', 0x277, 0x0007_0406_0007_0402n, '#13(0)');
  check('PAT: reset value', 0x277, 0x0007_0406_0007_0406n, 'ok');
  check('APIC base: x2APIC', 0x1b, 0xfee0_0c00n, '#13(0)');
  check('a capability MSR of VMX', 0x480, 0n, '#13(0)');

  it('unknown MSRs are #GP(0), and listed', () => {
    const { system, outcome } = execute(RDMSR, ({ state }) => (state.rcx = 0x1234n));
    assert.equal(outcome, '#13(0)');
    assert.deepEqual(system.processor.msrs.unknown, [
      { index: 0x1234, access: 'read', rip: 0x4000n, count: 1 },
    ]);
  });

  it('the TSC is virtual time, adjusted and offset', () => {
    const { system } = execute([0x0f, 0x31], ({ state, clock }) => {
      clock.now = 1_000_000;
      state.tscAdjust = 5n;
      state.tscOffset = BigInt.asUintN(64, -1_000_000n);
    });
    assert.deepEqual([system.state.rdx, system.state.rax], [0n, 5n]);
    const written = write(0x10, 77n).system.state;
    assert.equal(written.tscAdjust, 77n);
  });

  it('CPUID tells what there is', () => {
    const cpuid = (leaf: number, subleaf = 0): string => {
      const { system } = execute([0x0f, 0xa2], ({ state }) => {
        state.rax = BigInt(leaf);
        state.rcx = BigInt(subleaf);
      });
      const { rax, rbx, rcx, rdx } = system.state;
      return [rax, rbx, rcx, rdx].map(hex).join(' ');
    };
    assert.equal(cpuid(0), '15 756e6547 6c65746e 49656e69');
    assert.equal(cpuid(1), '506e3 10800 1e02020 ba97c');
    assert.equal(cpuid(0x15), '1 1 3b9aca00 0');
    assert.equal(cpuid(0x8000_0001), '0 0 101 2c100800');
    assert.equal(cpuid(0x8000_0008), '3028 0 0 0');
    assert.equal(cpuid(0x4000_0000), cpuid(0x15));
  });

  it('enabling a hardware breakpoint stops with its name', () => {
    const { outcome } = execute([0x0f, 0x23, 0xf8], ({ state }) => (state.rax = 0x401n));
    assert.match(outcome, /hardware breakpoints/);
  });
});
