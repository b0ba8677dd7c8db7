/** EPT walks: every result, and what the exits say (SDM 3C 29.3). */
import assert from 'node:assert/strict';
import { Access, PageAttribute } from '../cpu/seams.js';
import { Primary, Secondary } from '../vmx/controls.js';
import { ExitReason } from '../vmx/exitReasons.js';
import { Field } from '../vmx/fields.js';
import type { Fixture } from './vmxFixture.js';
import { enteredFixture, HOST_RIP } from './vmxFixture.js';

const PML4 = 0x1_0000;
const PDPT = 0x1_1000;
const DIRECTORY = 0x1_2000;
const TABLE = 0x1_3000;
const ALL = 7n;
const WB = 6n << 3n;
const LARGE = 0x80n;
const ACCESSED = 1n << 8n;
const DIRTY = 1n << 9n;
const USER_EXECUTE = 1n << 10n;
/** Bit 6 of the EPT pointer. */
const ACCESSED_DIRTY = 1n << 6n;

/** Level 4: 0 and 512 GByte; 1-GByte page at 1 GByte; 2-MByte page at 2 MByte; 4-KByte pages below. */
function mapped(change: (fixture: Fixture) => void = () => undefined): Fixture {
  return enteredFixture((fixture) => {
    const { vmcs, poke } = fixture;
    const primary = vmcs.read32(Field.primaryProcBasedControls) | Primary.activateSecondaryControls;
    vmcs.write32(Field.primaryProcBasedControls, primary >>> 0);
    vmcs.write32(Field.secondaryProcBasedControls, Secondary.enableEpt);
    vmcs.write(Field.eptPointer, BigInt(PML4) | (3n << 3n) | 6n);
    poke(PML4, BigInt(PDPT) | ALL);
    poke(PDPT, BigInt(DIRECTORY) | ALL);
    poke(PDPT + 8, 0x1_4000_0000n | ALL | WB | LARGE);
    poke(DIRECTORY, BigInt(TABLE) | ALL);
    poke(DIRECTORY + 8, 0x60_0000n | ALL | WB | LARGE);
    poke(TABLE, 0x3_0000n | ALL | WB);
    poke(TABLE + 8, 0x3_1000n | 1n | WB);
    poke(TABLE + 16, 0x3_2000n | 4n | WB);
    change(fixture);
  });
}

const check = (
  guestPhysical: number,
  access: number,
  expect: number | { reason: number; qualification: bigint },
  change?: (fixture: Fixture) => void,
  linear = 0xabc_d123n,
  pageWalk = false,
  attributes = 0,
): void => {
  const fixture = mapped(change);
  const { vmx, vmcs } = fixture;
  const result = vmx.translate(guestPhysical, access, { linear, pageWalk, attributes });
  if (typeof expect === 'number') {
    assert.equal(result, expect);
    assert.ok(vmx.inGuest);
    return;
  }
  assert.equal(result, -1);
  assert.equal(fixture.processor.state.rip, HOST_RIP);
  assert.deepEqual(
    {
      reason: vmcs.read32(Field.exitReason),
      qualification: vmcs.read(Field.exitQualification),
      linear: vmcs.read(Field.guestLinearAddress),
      physical: vmcs.read(Field.guestPhysicalAddress),
    },
    {
      ...expect,
      linear: expect.reason === ExitReason.EPT_VIOLATION ? linear : 0n,
      physical: BigInt(guestPhysical),
    },
  );
};

const violation = (qualification: number) => ({
  reason: ExitReason.EPT_VIOLATION,
  qualification: BigInt(qualification),
});
const misconfiguration = { reason: ExitReason.EPT_MISCONFIG, qualification: 0n };

describe('EPT', () => {
  it('translates through pages of 4 KBytes, 2 MBytes and 1 GByte', () => {
    check(0x123, Access.READ | Access.WRITE, 0x3_0123);
    check(0x2f_ffff, Access.EXECUTE, 0x6f_ffff);
    check(0x4567_89ab, Access.WRITE, 0x1_4567_89ab);
    check(0x1008, Access.READ, 0x3_1008);
    check(0x2008, Access.EXECUTE, 0x3_2008);
  });

  it('says in a violation what was accessed, what is allowed and whether a linear address is valid', () => {
    check(0x1008, Access.WRITE, violation(0x18a));
    check(0x1008, Access.EXECUTE, violation(0x18c));
    check(0x2008, Access.READ, violation(0x1a1));
    check(0x3000, Access.READ, violation(0x181));
    check(0x3000, Access.READ, violation(0x81), undefined, 5n, true);
    // A read that belongs to no linear address, as of the PDPTEs by MOV to CR3.
    const fixture = mapped();
    assert.equal(fixture.vmx.translate(0x3000, Access.READ, undefined), -1);
    assert.equal(fixture.vmcs.read(Field.exitQualification), 1n);
    check(2 ** 48, Access.READ, violation(0x181));
    check(2 ** 39, Access.WRITE, violation(0x182));
  });

  it('combines the permissions of all levels', () => {
    const readOnlyDirectory = ({ poke }: Fixture) => poke(DIRECTORY, BigInt(TABLE) | 1n);
    check(0x10, Access.READ, 0x3_0010, readOnlyDirectory);
    check(0x10, Access.WRITE, violation(0x18a), readOnlyDirectory);
  });

  it('finds misconfigurations before permissions count', () => {
    const cases: [string, number, (fixture: Fixture) => void][] = [
      ['write-only', 0x10, ({ poke }) => poke(TABLE, 2n)],
      ['write and execute', 0x10, ({ poke }) => poke(TABLE, 6n)],
      ['memory type 2', 0x10, ({ poke }) => poke(TABLE, 0x3_0000n | ALL | (2n << 3n))],
      ['memory type 7', 0x10, ({ poke }) => poke(TABLE, 0x3_0000n | ALL | (7n << 3n))],
      ['address beyond 40 bits', 0x10, ({ poke }) => poke(TABLE, (1n << 40n) | ALL | WB)],
      ['reserved bits of a table entry', 0x10, ({ poke }) => poke(DIRECTORY, BigInt(TABLE) | ALL | WB)],
      ['PML4E bit 7', 0x10, ({ poke }) => poke(PML4, BigInt(PDPT) | ALL | LARGE)],
      ['low address bits of a 2-MByte page', 0x20_0000, ({ poke }) => poke(DIRECTORY + 8, 0x60_1000n | ALL | WB | LARGE)],
      ['low address bits of a 1-GByte page', 0x4000_0000, ({ poke }) => poke(PDPT + 8, 0x1_4020_0000n | ALL | WB | LARGE)],
    ]; // prettier-ignore
    for (const [, address, change] of cases) check(address, Access.READ, misconfiguration, change);
    // Bits 63:52, 11 and 10, and without accessed and dirty flags 9 and 8 are ignored.
    check(0x10, Access.READ, 0x3_0010, ({ poke }) => poke(TABLE, (0xfffn << 52n) | 0x3_0f00n | ALL | WB));
  });

  it('says of a final translation what the guest paging structures allow', () => {
    const { USER, WRITABLE, EXECUTE_DISABLE } = PageAttribute;
    check(0x3000, Access.READ, violation(0x381), undefined, 5n, false, USER);
    check(0x3000, Access.READ, violation(0xd81), undefined, 5n, false, WRITABLE | EXECUTE_DISABLE);
    check(0x3000, Access.READ, violation(0x81), undefined, 5n, true, USER | WRITABLE);
  });

  it('has an execute permission for each mode with mode-based execute control', () => {
    const userOnly = ({ vmcs, poke }: Fixture) => {
      vmcs.write32(Field.secondaryProcBasedControls, Secondary.enableEpt | Secondary.modeBasedExecuteControl);
      for (const table of [PML4, PDPT, DIRECTORY]) poke(table, BigInt(table + 0x1000) | ALL | USER_EXECUTE);
      poke(TABLE, 0x3_0000n | 1n | USER_EXECUTE | WB);
      poke(TABLE + 8, 0x3_1000n | ALL | WB);
      poke(TABLE + 16, 0x3_2000n | USER_EXECUTE | WB);
    };
    const execute = (address: number, attributes: number, expect: Parameters<typeof check>[2]) =>
      check(address, Access.EXECUTE, expect, userOnly, 5n, false, attributes);
    execute(0x10, PageAttribute.USER, 0x3_0010);
    execute(0x10, 0, violation(0x1cc));
    execute(0x1010, 0, 0x3_1010);
    execute(0x1010, PageAttribute.USER, violation(0x3bc));
    execute(0x2010, PageAttribute.USER, 0x3_2010);
  });

  it('sets accessed and dirty flags when the EPT pointer asks for them', () => {
    const { vmx, vmcs, peek } = mapped();
    vmcs.write(Field.eptPointer, vmcs.read(Field.eptPointer) | ACCESSED_DIRTY);
    vmx.translate(0x10, Access.READ, undefined);
    const flags = () => [PML4, PDPT, DIRECTORY, TABLE].map((entry) => peek(entry) & (ACCESSED | DIRTY));
    assert.deepEqual(flags(), [ACCESSED, ACCESSED, ACCESSED, ACCESSED]);
    vmx.translate(0x10, Access.WRITE, undefined);
    assert.deepEqual(flags(), [ACCESSED, ACCESSED, ACCESSED, ACCESSED | DIRTY]);
    // A walk of the guest's paging structures counts as a write.
    assert.equal(vmx.translate(0x1010, Access.READ, { linear: 5n, pageWalk: true, attributes: 0 }), -1);
    assert.equal(vmcs.read(Field.exitQualification), 0x8bn);
  });

  it('logs modifications, and exits before the access when the log is full', () => {
    const LOG = 0x1_4000;
    const { vmx, vmcs, peek } = mapped(({ vmcs: target }) => {
      target.write32(Field.secondaryProcBasedControls, Secondary.enableEpt | Secondary.enablePml);
      target.write(Field.eptPointer, BigInt(PML4) | (3n << 3n) | 6n | ACCESSED_DIRTY);
      target.write(Field.pmlAddress, BigInt(LOG));
    });
    assert.equal(vmx.translate(0x123, Access.WRITE, undefined), 0x3_0123);
    assert.equal(vmx.translate(0x124, Access.WRITE, undefined), 0x3_0124, 'it is dirty already');
    assert.equal(peek(LOG), 0n);
    assert.equal(vmcs.read32(Field.guestPmlIndex), 0xffff);
    assert.equal(vmx.translate(0x20_0123, Access.READ, undefined), 0x60_0123);
    assert.equal(vmx.translate(0x20_0123, Access.WRITE, undefined), -1);
    assert.equal(vmcs.read32(Field.exitReason), ExitReason.PML_FULL);
    assert.equal(peek(DIRECTORY + 8) & DIRTY, 0n);
  });

  it('lets the debugger look without an exit', () => {
    const { vmx } = mapped();
    assert.equal(vmx.probe(0x2fff), 0x3_2fff);
    assert.equal(vmx.probe(0x3000), -1);
    assert.ok(vmx.inGuest);
    assert.equal(vmx.probeThrough(PML4, 0x20_0000), 0x60_0000);
  });
});
