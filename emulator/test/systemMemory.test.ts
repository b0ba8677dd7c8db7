/** Page walks, faults, TLB tags, careful accesses, watchpoints, the debugger's view. */
import { strict as assert } from 'assert';
import { DebugAccess } from '../cpu/debugAccess.js';
import type { Fault } from '../cpu/fault.js';
import { region, tlbEntry } from '../cpu/layout.js';
import { highHalf, lowHalf } from '../cpu/linearAccess.js';
import { Cr0, Cr4, Efer, Rflags } from '../cpu/registerBits.js';
import { Access, FillResult } from '../cpu/seams.js';
import type { System } from './systemFixture.js';
import { at, createSystem, enterUser } from './systemFixture.js';

const { READ, WRITE, EXECUTE, SUPERVISOR, STACK } = Access;
const [P, W, U, A, D, PS] = [1n, 2n, 4n, 0x20n, 0x40n, 0x80n];
const XD = 1n << 63n;

const fill = ({ processor }: System, linear: bigint, access: number): string => {
  const result = processor.system.fill(lowHalf(linear), highHalf(linear), access);
  if (result === FillResult.FILLED) return 'ok';
  if (result === FillResult.CAREFUL) return 'careful';
  const fault = processor.system.fault!;
  return describeFault(fault);
};

const describeFault = ({ vector, errorCode, address }: Fault): string =>
  `#${vector}(${errorCode})${vector === 14 ? ` ${address.toString(16)}` : ''}`;

describe('paging', () => {
  describe('error codes and permissions, SDM 3A 4.6 and 4.7', () => {
    interface Case {
      readonly entry: bigint;
      readonly access: number;
      readonly user?: boolean;
      readonly set?: (system: System) => void;
      readonly expect: string;
    }
    const LINEAR = 0x5_0000n;
    const pte = at.tables + 0x3000 + 0x50 * 8;
    const noWriteProtect = ({ state }: System) => (state.cr0 &= ~Cr0.WP);
    const noNxe = ({ state }: System) => (state.efer &= ~Efer.NXE);
    const smep = ({ state }: System) => (state.cr4 |= Cr4.SMEP);
    const smap = ({ state }: System) => (state.cr4 |= Cr4.SMAP);
    const smapWithAc = ({ state }: System) => {
      state.cr4 |= Cr4.SMAP;
      state.rflagsSystem |= Rflags.AC;
    };
    const cases: Record<string, Case> = {
      'not present, supervisor read': { entry: 0n, access: READ, expect: '#14(0) 50000' },
      'not present, supervisor write': { entry: 0n, access: WRITE, expect: '#14(2) 50000' },
      'not present, user read': { entry: 0n, access: READ, user: true, expect: '#14(4) 50000' },
      'not present, user fetch': { entry: 0n, access: EXECUTE, user: true, expect: '#14(20) 50000' },
      'not present, fetch without NXE or SMEP': {
        entry: 0n,
        access: EXECUTE,
        set: noNxe,
        expect: '#14(0) 50000',
      },
      'not present, fetch with SMEP': {
        entry: 0n,
        access: EXECUTE,
        set: (system) => {
          noNxe(system);
          smep(system);
        },
        expect: '#14(16) 50000',
      },
      'user on supervisor page': { entry: P | W, access: READ, user: true, expect: '#14(5) 50000' },
      'user write on read-only page': { entry: P | U, access: WRITE, user: true, expect: '#14(7) 50000' },
      'user read-modify-write on read-only page': {
        entry: P | U,
        access: READ | WRITE,
        user: true,
        expect: '#14(7) 50000',
      },
      'user read-only read': { entry: P | U, access: READ, user: true, expect: 'ok' },
      'supervisor write with WP': { entry: P, access: WRITE, expect: '#14(3) 50000' },
      'supervisor write without WP': { entry: P, access: WRITE, set: noWriteProtect, expect: 'ok' },
      'fetch from XD page': { entry: P | XD, access: EXECUTE, expect: '#14(17) 50000' },
      'read of XD page': { entry: P | XD, access: READ, expect: 'ok' },
      'XD without NXE is reserved': { entry: P | XD, access: READ, set: noNxe, expect: '#14(9) 50000' },
      'address bit 40 is reserved': {
        entry: P | W | U | (1n << 40n),
        access: WRITE,
        user: true,
        expect: '#14(15) 50000',
      },
      'address bit 39 is not reserved': { entry: P | (1n << 39n), access: READ, expect: 'careful' },
      'supervisor fetch from user page': { entry: P | U, access: EXECUTE, expect: 'ok' },
      'the same with SMEP': { entry: P | U, access: EXECUTE, set: smep, expect: '#14(17) 50000' },
      'user fetch with SMEP': { entry: P | U, access: EXECUTE, user: true, set: smep, expect: 'ok' },
      'supervisor read of user page with SMAP': {
        entry: P | U,
        access: READ,
        set: smap,
        expect: '#14(1) 50000',
      },
      'the same with AC': { entry: P | U, access: READ, set: smapWithAc, expect: 'ok' },
      'implicit access with SMAP and AC': {
        entry: P | U,
        access: READ | SUPERVISOR,
        set: smapWithAc,
        expect: '#14(1) 50000',
      },
      'implicit supervisor access of a user program': {
        entry: P | W,
        access: READ | SUPERVISOR,
        user: true,
        expect: 'ok',
      },
    };
    for (const [name, { entry, access, user, set, expect }] of Object.entries(cases)) {
      it(name, () => {
        const system = createSystem();
        system.poke(pte, (entry & P ? 0x5_0000n : 0n) | entry);
        if (user) enterUser(system);
        set?.(system);
        system.processor.contextChanged();
        assert.equal(fill(system, LINEAR, access), expect);
      });
    }
  });

  it('sets accessed flags on the way and the dirty flag at the page, only when the access is allowed', () => {
    const system = createSystem();
    const entries = [0, 0x1000, 0x2000, 0x3000 + 0x50 * 8].map((offset) => at.tables + offset);
    const flags = () => entries.map((entry) => system.peek(entry) & (A | D));
    assert.equal(fill(system, 0x5_0000n, READ), 'ok');
    assert.deepEqual(flags(), [A, A, A, A]);
    assert.equal(fill(system, 0x5_0000n, WRITE), 'ok');
    assert.deepEqual(flags(), [A, A, A, A | D]);
    system.poke(entries[3], 0x5_0000n | P);
    system.processor.flushTlb();
    assert.match(fill(system, 0x5_0000n, WRITE), /^#14\(3\)/);
    assert.equal(flags()[3], 0n);
  });

  it('a read of a clean page gives no write tag; of a dirty one it does', () => {
    const system = createSystem();
    const { memory, system: paged } = system.processor;
    const tag = (kind: 'tagRead' | 'tagWrite') =>
      memory.u64[(paged.tlb.supervisor.offset + 0x50 * 32 + tlbEntry[kind]) >> 3];
    fill(system, 0x5_0000n, READ);
    assert.deepEqual([tag('tagRead'), tag('tagWrite')], [0x5_0000n, 0xffff_ffff_ffff_ffffn]);
    fill(system, 0x5_0000n, WRITE);
    assert.equal(tag('tagWrite'), 0x5_0000n);
    system.processor.flushTlb();
    assert.equal(tag('tagRead'), 0xffff_ffff_ffff_ffffn);
    fill(system, 0x5_0000n, READ);
    assert.equal(tag('tagWrite'), 0x5_0000n);
  });

  describe('page sizes: the physical address of a linear one', () => {
    const check = (
      name: string,
      mode: 'long' | 'protected',
      set: (system: System) => bigint,
      expect: string,
    ) =>
      it(name, () => {
        const system = createSystem(mode);
        const linear = set(system);
        system.processor.flushTlb();
        system.processor.contextChanged();
        const page = system.processor.system.resolve(lowHalf(linear), highHalf(linear), READ);
        const { fault } = system.processor.system;
        const found = page < 0 ? describeFault(fault!) : (page * 4096 + Number(linear & 0xfffn)).toString(16);
        assert.equal(found, expect);
        // The debugger's walk agrees, but for what only permissions and reserved bits forbid.
        if (page >= 0)
          assert.equal(debugAccess(system).translate(linear), page * 4096 + Number(linear & 0xfffn));
      });
    const pdpt = at.tables + 0x1000;
    const directory = at.tables + 0x2000;
    check('2 MByte', 'long', ({ poke }) => (poke(directory + 8, 0x40_0000n | P | PS), 0x2a_bcden), '4abcde');
    check(
      '2 MByte with a reserved bit',
      'long',
      ({ poke }) => (poke(directory + 8, 0x40_2000n | P | PS), 0x20_0000n),
      '#14(9) 200000',
    );
    check('1 GByte', 'long', ({ poke }) => (poke(pdpt + 8, 0x8000_0000n | P | PS), 0x4123_4567n), '81234567');
    check(
      '1 GByte with a reserved bit',
      'long',
      ({ poke }) => (poke(pdpt + 8, 0x8020_0000n | P | PS), 0x4000_0000n),
      '#14(9) 40000000',
    );
    check(
      'PS in a PML4E',
      'long',
      ({ poke, peek }) => (poke(at.tables, peek(at.tables) | PS), 0n),
      '#14(9) 0',
    );
    check(
      'upper half',
      'long',
      ({ poke, peek }) => (poke(at.tables + 511 * 8, peek(at.tables)), 0xffff_ff80_0005_0123n),
      '50123',
    );
    check(
      '4 MByte',
      'protected',
      ({ poke }) => (poke(at.tables + 4, 0xc0_0000n | P | PS, 4), 0x7a_bcden),
      'fabcde',
    );
    check(
      '4 MByte above 4 GBytes (PSE-36)',
      'protected',
      ({ poke }) => (poke(at.tables + 4, 0xc0_2000n | P | PS, 4), 0x40_0000n),
      '100c00000',
    );
    check(
      '4 MByte with bit 21',
      'protected',
      ({ poke }) => (poke(at.tables + 4, 0xe0_0000n | P | PS, 4), 0x40_0000n),
      '#14(9) 400000',
    );
    check(
      'PAE through the PDPTE registers',
      'protected',
      ({ poke, state }) => {
        state.cr4 |= Cr4.PAE;
        state.pdpte1 = BigInt(at.tables + 0x5000) | P;
        poke(at.tables + 8, state.pdpte1);
        poke(at.tables + 0x5000, BigInt(at.tables + 0x6000) | P);
        poke(at.tables + 0x6000 + 2 * 8, 0x7_7000n | P);
        return 0x4000_2345n;
      },
      '77345',
    );
    check(
      'PAE reserves bit 62',
      'protected',
      ({ poke, state }) => {
        state.cr4 |= Cr4.PAE;
        state.pdpte0 = BigInt(at.tables + 0x5000) | P;
        poke(at.tables + 0x5000, BigInt(at.tables + 0x6000) | P | (1n << 62n));
        return 0x2345n;
      },
      '#14(9) 2345',
    );
    check('no paging', 'protected', ({ state }) => ((state.cr0 &= ~Cr0.PG), 0x1_2345n), '12345');
  });

  it('a non-canonical address is #GP(0), through the stack #SS(0)', () => {
    const system = createSystem();
    assert.equal(fill(system, 0x8000_0000_0000n, READ), '#13(0)');
    assert.equal(fill(system, 0x8000_0000_0000n, WRITE | STACK), '#12(0)');
    assert.match(fill(system, 0xffff_8000_0000_0000n, READ), /^#14/);
  });

  it('translations made under another paging mode do not count', () => {
    const system = createSystem();
    system.poke(at.tables + 0x3000 + 0x50 * 8, 0x5_0000n | P | D);
    system.state.cr0 &= ~Cr0.WP;
    system.processor.contextChanged();
    assert.equal(fill(system, 0x5_0000n, WRITE), 'ok');
    system.state.cr0 |= Cr0.WP;
    system.processor.contextChanged();
    assert.match(fill(system, 0x5_0000n, WRITE), /^#14\(3\)/);
  });

  it('what AC allowed under SMAP ends with AC', () => {
    const system = createSystem();
    system.state.cr4 |= Cr4.SMAP;
    system.state.rflagsSystem |= Rflags.AC;
    system.processor.contextChanged();
    assert.equal(fill(system, 0x5_0000n, READ), 'ok');
    system.state.rflagsSystem &= ~Rflags.AC;
    system.processor.system.selectBank();
    assert.match(fill(system, 0x5_0000n, READ), /^#14\(1\)/);
  });
});

describe('careful accesses', () => {
  const write = (system: System, linear: bigint, size: number, value: bigint): void => {
    const { system: paged, memory } = system.processor;
    const operand = paged.prepare(lowHalf(linear), highHalf(linear), size, WRITE);
    assert.notEqual(operand, 0);
    for (let i = 0; i < size; i++) memory.u8[operand + i] = Number((value >> BigInt(8 * i)) & 0xffn);
    paged.commit();
  };

  it('crosses pages that are not neighbours', () => {
    const system = createSystem();
    system.poke(at.tables + 0x3000 + 0x51 * 8, 0x6_0000n | 7n);
    write(system, 0x5_0ffdn, 8, 0x8877_6655_4433_2211n);
    assert.equal(system.peek(0x5_0ff8) >> 40n, 0x33_2211n);
    assert.equal(system.peek(0x6_0000) & 0xff_ffff_ffffn, 0x88_7766_5544n);
    assert.equal(system.processor.linear.read(0x5_0ffdn, 8), 0x8877_6655_4433_2211n);
  });

  it('a crossing write whose second page faults changes nothing', () => {
    const system = createSystem();
    system.poke(at.tables + 0x3000 + 0x51 * 8, 0x6_0000n | P);
    const fault = system.processor.linear.write(0x5_0ffdn, 8, 0xffff_ffff_ffff_ffffn);
    assert.equal(typeof fault === 'object' && describeFault(fault), '#14(3) 51000');
    assert.equal(system.peek(0x5_0ff8), 0n);
  });

  it('goes to a device in aligned pieces, and is never filled', () => {
    const system = createSystem();
    const linear = BigInt(at.device);
    assert.equal(fill(system, linear, READ), 'careful');
    assert.equal(system.processor.linear.read(linear + 0x20n, 4), 0x4433_2211n);
    write(system, linear + 0x2n, 4, 0xaabb_ccddn);
    assert.deepEqual(system.bus.log, ['read fee00020/4', 'write fee00002/2=ccdd', 'write fee00004/2=aabb']);
  });

  it('tells the engine of writes to a page that holds code', () => {
    const system = createSystem();
    assert.equal(fill(system, 0x5_0000n, WRITE), 'ok');
    system.processor.system.protectCode(0x50);
    assert.equal(fill(system, 0x5_0000n, WRITE), 'careful');
    assert.equal(fill(system, 0x5_0000n, READ), 'ok');
    write(system, 0x5_0010n, 4, 1n);
    assert.deepEqual(system.engine.codeWrites, [[0x5_0010, 4]]);
  });

  it('a fetch from where nothing answers is #UD', () => {
    const { processor } = createSystem();
    assert.equal(processor.system.fetch(at.device | 0, 0), -1);
    assert.equal(processor.system.fault?.vector, 6);
  });

  it('watchpoints: the page is withheld, the filter is exact, before and after are told', () => {
    const system = createSystem();
    const { processor } = system;
    assert.equal(fill(system, 0x5_0000n, WRITE), 'ok');
    processor.setWatchpoints([{ id: 7, address: 0x5_0010n, length: 4, access: 'write' }]);
    assert.equal(fill(system, 0x5_0000n, READ), 'ok');
    assert.equal(fill(system, 0x5_0000n, WRITE), 'careful');
    write(system, 0x5_000cn, 4, 1n);
    processor.linear.read(0x5_0010n, 4);
    assert.equal(processor.watchpoints.hit, false);
    write(system, 0x5_000fn, 2, 0x4321n);
    assert.deepEqual(processor.watchpoints.take(), [
      {
        id: 7,
        address: 0x5_000fn,
        size: 2,
        access: 'write',
        before: Uint8Array.of(0, 0),
        after: Uint8Array.of(0x21, 0x43),
      },
    ]);
    processor.setWatchpoints([]);
    assert.equal(fill(system, 0x5_0000n, WRITE), 'ok');
  });
});

const debugAccess = ({ processor }: System): DebugAccess =>
  new DebugAccess(
    processor.memory,
    processor.state,
    processor.bus,
    processor.virtualization,
    processor.system.ramWritten,
    () => -1,
  );

describe('debugger access', () => {
  it('has no side effects, ends at what is not mapped, and tells the engine of code', () => {
    const system = createSystem();
    const { memory } = system.processor;
    memory.u8.set([1, 2, 3, 4], region.ram + 0x5_0ffc);
    system.poke(at.tables + 0x3000 + 0x51 * 8, 0n);
    const before = system.peek(at.tables + 0x3000 + 0x50 * 8);
    const debug = debugAccess(system);
    assert.deepEqual([...debug.read(0x5_0ffcn, 16)], [1, 2, 3, 4]);
    assert.equal(debug.read(BigInt(at.device), 4).length, 0);
    assert.equal(system.peek(at.tables + 0x3000 + 0x50 * 8), before);
    system.processor.system.protectCode(0x50);
    assert.equal(debug.write(0x5_0ffen, Uint8Array.of(9, 9, 9)), 2);
    assert.deepEqual(system.engine.codeWrites, [[0x5_0ffe, 2]]);
    assert.deepEqual(system.bus.log, []);
  });

  it('explains a walk, also in a context that is not the current one', () => {
    const system = createSystem();
    const { cr0, cr4, efer } = system.state;
    system.state.cr3 = 0n;
    const walk = debugAccess(system).walk(0x5_1234n, {
      cr0,
      cr3: BigInt(at.tables),
      cr4,
      efer,
      eptPointer: undefined,
    });
    assert.deepEqual(
      walk.entries.map(({ level, guestPhysical, user }) => [level, guestPhysical - at.tables, user]),
      [
        ['PML4E', 0, true],
        ['PDPTE', 0x1000, true],
        ['PDE', 0x2000, true],
        ['PTE', 0x3288, true],
      ],
    );
    assert.equal(walk.physical, 0x5_1234);
    assert.match(debugAccess(system).walk(0x5_1234n).reason ?? '', /PML4E at 0x0 is not present/);
  });
});
