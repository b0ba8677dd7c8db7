/** The VMX instructions: every way in which each can fail (SDM 3C 31.3). */
import assert from 'node:assert/strict';
import { Vector } from '../cpu/fault.js';
import { Cr0, Cr4, Rflags, SegmentAccess } from '../cpu/registerBits.js';
import type { ColdOutcome } from '../cpu/seams.js';
import { Field } from '../vmx/fields.js';
import { LaunchState } from '../vmx/vmcs.js';
import type { Fixture } from './vmxFixture.js';
import {
  code, createFixture, POINTER, SECOND_VMCS, VMCS_REGION, vmStatus, VMXON_REGION,
} from './vmxFixture.js'; // prettier-ignore

type Prepare = (fixture: Fixture) => void;

/** Fixtures by how far they are. */
const outside = createFixture;
const inRoot = (): Fixture => {
  const fixture = createFixture();
  fixture.executeAt(code.vmxon, BigInt(VMXON_REGION));
  return fixture;
};
const withVmcs = (): Fixture => {
  const fixture = createFixture();
  fixture.makeCurrent();
  return fixture;
};

const describeOutcome = (fixture: Fixture, outcome: ColdOutcome): string => {
  if (typeof outcome !== 'object') return outcome === 'retired' ? vmStatus(fixture) : outcome;
  if (outcome.kind !== 'fault') return outcome.kind;
  const name = Object.entries(Vector).find(([, vector]) => vector === outcome.vector)![0];
  return outcome.errorCode === undefined ? `#${name}` : `#${name}(${outcome.errorCode})`;
};

/** Runs an instruction with a 64-bit memory operand. */
const check = (
  start: () => Fixture,
  prepare: Prepare,
  bytes: readonly number[],
  operand: number | bigint,
  expect: string,
): Fixture => {
  const fixture = start();
  prepare(fixture);
  const outcome = fixture.executeAt(bytes, BigInt(operand));
  assert.equal(describeOutcome(fixture, outcome), expect);
  return fixture;
};
const nothing: Prepare = () => undefined;
const user: Prepare = ({ processor }) => void (processor.state.cpl = 3);
const compatibility: Prepare = ({ processor }) => void (processor.state.csAccess &= ~SegmentAccess.L);
const virtual8086: Prepare = ({ processor }) => void (processor.state.rflagsSystem |= Rflags.VM);
const realMode: Prepare = ({ processor }) => void (processor.state.cr0 &= ~Cr0.PE);

describe('VMX instructions', () => {
  const all = Object.entries(code).filter(([name]) => name !== 'vmmcall');

  it('are #UD outside VMX operation, in real, virtual-8086 and compatibility mode', () => {
    for (const [name, bytes] of all) {
      if (name !== 'vmxon') check(outside, nothing, bytes, 0, '#UD');
      for (const mode of [realMode, virtual8086, compatibility]) check(inRoot, mode, bytes, 0, '#UD');
    }
  });

  it('are #GP(0) outside privilege level 0 in VMX root operation', () => {
    for (const [, bytes] of all) check(inRoot, user, bytes, VMXON_REGION, '#GP(0)');
  });

  it('VMMCALL and VMFUNC are #UD', () => {
    check(inRoot, nothing, code.vmmcall, 0, '#UD');
    check(inRoot, nothing, [0x0f, 0x01, 0xd4], 0, '#UD');
  });

  it('VMXON', () => {
    const fixture = check(outside, nothing, code.vmxon, VMXON_REGION, 'VMsucceed');
    assert.equal(fixture.processor.state.vmxOperation, 1);
    check(
      outside,
      ({ processor }) => void (processor.state.cr4 &= ~Cr4.VMXE),
      code.vmxon,
      VMXON_REGION,
      '#UD',
    );
    check(outside, user, code.vmxon, VMXON_REGION, '#GP(0)');
    for (const value of [0n, 1n, 4n]) {
      const disable: Prepare = ({ processor }) => void (processor.state.featureControl = value);
      check(outside, disable, code.vmxon, VMXON_REGION, '#GP(0)');
    }
    check(
      outside,
      ({ processor }) => void (processor.state.cr0 &= ~Cr0.NE),
      code.vmxon,
      VMXON_REGION,
      '#GP(0)',
    );
    check(outside, nothing, code.vmxon, VMXON_REGION + 8, 'VMfailInvalid');
    check(outside, nothing, code.vmxon, 1n << 40n, 'VMfailInvalid');
    check(outside, ({ poke }) => poke(VMXON_REGION, 0n), code.vmxon, VMXON_REGION, 'VMfailInvalid');
    check(inRoot, nothing, code.vmxon, VMXON_REGION, 'VMfailInvalid');
    check(withVmcs, nothing, code.vmxon, VMXON_REGION, 'VMfailValid(15)');
  });

  it('VMXOFF leaves VMX operation', () => {
    const fixture = check(withVmcs, nothing, code.vmxoff, 0, 'VMsucceed');
    assert.equal(fixture.processor.state.vmxOperation, 0);
    check(() => fixture, nothing, code.vmxoff, 0, '#UD');
  });

  it('VMCLEAR', () => {
    check(withVmcs, nothing, code.vmclear, VMCS_REGION + 16, 'VMfailValid(2)');
    check(withVmcs, nothing, code.vmclear, 1n << 45n, 'VMfailValid(2)');
    check(withVmcs, nothing, code.vmclear, VMXON_REGION, 'VMfailValid(3)');
    check(inRoot, nothing, code.vmclear, VMXON_REGION, 'VMfailInvalid');
    const fixture = check(
      withVmcs,
      ({ vmcs }) => void (vmcs.launchState = LaunchState.LAUNCHED),
      code.vmclear,
      VMCS_REGION,
      'VMsucceed',
    );
    assert.equal(fixture.vmcs.launchState, LaunchState.CLEAR);
    assert.equal(fixture.vmx.currentVmcs, undefined);
    const other = check(withVmcs, nothing, code.vmclear, SECOND_VMCS, 'VMsucceed');
    assert.equal(other.vmx.currentVmcs, VMCS_REGION);
  });

  it('VMPTRLD and VMPTRST', () => {
    check(withVmcs, nothing, code.vmptrld, SECOND_VMCS + 1, 'VMfailValid(9)');
    check(withVmcs, nothing, code.vmptrld, VMXON_REGION, 'VMfailValid(10)');
    check(withVmcs, ({ poke }) => poke(SECOND_VMCS, 7n), code.vmptrld, SECOND_VMCS, 'VMfailValid(11)');
    // Within the physical-address width and beyond memory: the revision identifier reads as all ones.
    check(withVmcs, nothing, code.vmptrld, 1n << 38n, 'VMfailValid(11)');
    const fixture = check(withVmcs, nothing, code.vmptrld, SECOND_VMCS, 'VMsucceed');
    assert.equal(fixture.vmx.currentVmcs, SECOND_VMCS);
    check(() => fixture, nothing, code.vmptrst, 0, 'VMsucceed');
    assert.equal(fixture.peek(POINTER), BigInt(SECOND_VMCS));
    const empty = check(inRoot, nothing, code.vmptrst, 0, 'VMsucceed');
    assert.equal(empty.peek(POINTER), 0xffff_ffff_ffff_ffffn);
  });

  it('VMCALL in VMX root operation fails', () => {
    check(inRoot, nothing, code.vmcall, 0, 'VMfailInvalid');
    check(withVmcs, nothing, code.vmcall, 0, 'VMfailValid(1)');
  });

  it('VMLAUNCH and VMRESUME: the basic checks', () => {
    check(inRoot, nothing, code.vmlaunch, 0, 'VMfailInvalid');
    const launched: Prepare = ({ vmcs }) => void (vmcs.launchState = LaunchState.LAUNCHED);
    check(withVmcs, launched, code.vmlaunch, 0, 'VMfailValid(4)');
    check(withVmcs, nothing, code.vmresume, 0, 'VMfailValid(5)');
    const blocked: Prepare = ({ processor }) => void (processor.state.interruptibility = 2);
    const fixture = check(withVmcs, blocked, code.vmlaunch, 0, 'VMfailValid(26)');
    assert.match(fixture.failures[0].check, /MOV SS/);
  });

  const access = (bytes: readonly number[], encoding: number | bigint, value: bigint, expect: string) =>
    check(
      withVmcs,
      ({ processor: { state } }) => {
        state.rcx = BigInt(encoding);
        state.rbx = value;
      },
      bytes,
      0,
      expect,
    );

  it('VMREAD and VMWRITE by width and access type', () => {
    const wrote = access(code.vmwrite, 0x681e, 0x1234_5678_9abc_def0n, 'VMsucceed');
    assert.equal(wrote.vmcs.read(Field.guestRip), 0x1234_5678_9abc_def0n);
    assert.equal(
      access(code.vmwrite, 0x4002, ~0n & 0xffff_ffff_ffff_ffffn, 'VMsucceed').vmcs.read(
        Field.primaryProcBasedControls,
      ),
      0xffff_ffffn,
    );
    assert.equal(
      access(code.vmwrite, 0x0800, 0x1_2345n, 'VMsucceed').vmcs.read(Field.guestEsSelector),
      0x2345n,
    );
    const high = access(code.vmwrite, 0x2011, 0xaaaa_bbbb_cccc_ddddn, 'VMsucceed');
    assert.equal(high.vmcs.read(Field.tscOffset), 0xcccc_dddd_0000_0000n);
    high.processor.state.rcx = 0x2011n;
    check(() => high, nothing, code.vmread, 0, 'VMsucceed');
    assert.equal(high.processor.state.rbx, 0xcccc_ddddn);

    const read = access(code.vmread, 0x6c16, 0n, 'VMsucceed');
    assert.equal(read.processor.state.rbx, read.vmcs.read(Field.hostRip));
    for (const absent of [0x203a, 0x681f, 0x1_0000, 0x5000]) {
      access(code.vmread, absent, 0n, 'VMfailValid(12)');
      access(code.vmwrite, absent, 0n, 'VMfailValid(12)');
    }
    access(code.vmread, 0x1_0000_681en, 0n, 'VMfailValid(12)');
    access(code.vmread, 0x4402, 0n, 'VMsucceed');
    check(inRoot, nothing, code.vmread, 0, 'VMfailInvalid');
    check(inRoot, nothing, code.vmwrite, 0, 'VMfailInvalid');
  });

  const invalidate = (
    bytes: readonly number[],
    type: number,
    low: bigint,
    high: bigint,
    expect: string,
  ): Fixture =>
    check(
      withVmcs,
      ({ processor: { state }, poke }) => {
        state.rcx = BigInt(type);
        poke(POINTER + 8, high);
      },
      bytes,
      low,
      expect,
    );

  it('INVEPT', () => {
    const pointer = 0x4000n | (3n << 3n) | 6n;
    invalidate(code.invept, 1, pointer, 0n, 'VMsucceed');
    invalidate(code.invept, 2, 0n, 0n, 'VMsucceed');
    invalidate(code.invept, 0, pointer, 0n, 'VMfailValid(28)');
    invalidate(code.invept, 3, pointer, 0n, 'VMfailValid(28)');
    invalidate(code.invept, 1, pointer, 1n, 'VMfailValid(28)');
    invalidate(code.invept, 1, 0x4000n, 0n, 'VMfailValid(28)');
  });

  it('INVVPID', () => {
    for (const type of [0, 1, 3]) {
      invalidate(code.invvpid, type, 1n, 0x1000n, 'VMsucceed');
      invalidate(code.invvpid, type, 0n, 0x1000n, 'VMfailValid(28)');
    }
    invalidate(code.invvpid, 2, 0n, 0n, 'VMsucceed');
    invalidate(code.invvpid, 4, 1n, 0n, 'VMfailValid(28)');
    invalidate(code.invvpid, 0, 1n, 1n << 50n, 'VMfailValid(28)');
    invalidate(code.invvpid, 1, 0x1_0001n, 0n, 'VMfailValid(28)');
  });
});
