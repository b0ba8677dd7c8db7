/** The tables of VMX agree with each other and with the capability MSRs. */
import assert from 'node:assert/strict';
import { allowedSettings, capabilityMsrs, eptVpidCapabilities, VmxMsr } from '../vmx/capabilities.js';
import { controlFields, entryControls, exitControls, pinBased, primary, secondary } from '../vmx/controls.js';
import { controlChecks } from '../vmx/entry/controlChecks.js';
import { guestChecks } from '../vmx/entry/guestChecks.js';
import { hostChecks } from '../vmx/entry/hostChecks.js';
import type { DescribedField } from '../vmx/description.js';
import { exitReasons } from '../vmx/exitReasons.js';
import { Field, fieldAccess, vmcsFields } from '../vmx/fields.js';
import { intercepts } from '../vmx/intercepts/table.js';
import { coldInstructions } from '../cpu/cold/index.js';
import { createFixture, VMCS_REGION } from './vmxFixture.js';
import { CR4_SUPPORTED } from '../cpu/features.js';

const duplicates = <T>(values: readonly T[]): T[] => values.filter((value, i) => values.indexOf(value) !== i);

describe('VMX tables', () => {
  it('name and encode every VMCS field once', () => {
    assert.deepEqual(duplicates(vmcsFields.map(({ encoding }) => encoding)), []);
    assert.deepEqual(duplicates(vmcsFields.map(({ name }) => name)), []);
    assert.deepEqual(duplicates(vmcsFields.map(({ constant }) => constant)), []);
    assert.deepEqual(duplicates(vmcsFields.map(({ offset }) => offset)), []);
  });

  it('keep each group of fields in the access type of its encodings (SDM 3C table 25-21)', () => {
    const groupOfType = [undefined, 'VM-exit information', 'guest state', 'host state'] as const;
    for (const field of vmcsFields) {
      const type = (field.encoding >> 10) & 3;
      const expected = groupOfType[type];
      if (expected) assert.equal(field.group, expected, field.name);
      else assert.match(field.group, /control$/, field.name);
      assert.equal(field.encoding & ~0x6ffe, 0, `${field.name}: reserved bits`);
    }
  });

  it('know the high half of 64-bit fields and of no others', () => {
    assert.deepEqual(fieldAccess(0x201b), { field: Field.eptPointer, high: true });
    assert.equal(fieldAccess(0x681f), undefined);
    assert.equal(fieldAccess(0x4001), undefined);
    assert.equal(fieldAccess(0x203a), undefined, 'the ENCLV-exiting bitmap is not there');
  });

  it('have a field only with an implemented control', () => {
    const implemented = new Set(
      controlFields.flatMap(({ bits }) => bits.filter((bit) => bit.implemented).map(({ name }) => name)),
    );
    for (const { name, existsWith } of vmcsFields) {
      if (existsWith) assert.ok(implemented.has(existsWith), `${name} exists with ${existsWith}`);
    }
  });

  it('offer in the capability MSRs what is implemented and the default1 class, and nothing else', () => {
    const msrs = capabilityMsrs(CR4_SUPPORTED);
    const pairs = [
      [pinBased, VmxMsr.PINBASED_CTLS, VmxMsr.TRUE_PINBASED_CTLS],
      [primary, VmxMsr.PROCBASED_CTLS, VmxMsr.TRUE_PROCBASED_CTLS],
      [exitControls, VmxMsr.EXIT_CTLS, VmxMsr.TRUE_EXIT_CTLS],
      [entryControls, VmxMsr.ENTRY_CTLS, VmxMsr.TRUE_ENTRY_CTLS],
      [secondary, VmxMsr.PROCBASED_CTLS2, undefined],
    ] as const;
    for (const [control, plain, exact] of pairs) {
      const allowed1 = Number(msrs.get(plain)! >> 32n);
      for (const { bit, name, implemented } of control.bits) {
        const offered = ((allowed1 >>> bit) & 1) !== 0;
        assert.equal(offered, implemented || ((control.default1 >>> bit) & 1) !== 0, name);
      }
      if (exact === undefined) continue;
      assert.equal(msrs.get(exact)! >> 32n, msrs.get(plain)! >> 32n, 'the same 1-settings');
      const fixed = Number(msrs.get(plain)! & 0xffff_ffffn);
      const trulyFixed = Number(msrs.get(exact)! & 0xffff_ffffn);
      assert.equal(trulyFixed & ~fixed, 0, 'the TRUE MSR frees bits only');
    }
    // The default1 classes of SDM 3D A.3 - A.5.
    assert.deepEqual(
      [pinBased, primary, exitControls, entryControls].map(
        (field) => allowedSettings(field, 'default').mustBeOne,
      ),
      [0x16, 0x0401_e172, 0x0003_6dff, 0x11ff],
    );
    assert.equal(duplicates(eptVpidCapabilities.map(({ bit }) => bit)).length, 0);
  });

  it('let RDMSR read the capability MSRs and WRMSR write none', () => {
    const { processor } = createFixture();
    for (const index of Object.values(VmxMsr)) {
      assert.equal(typeof processor.msrs.read(index), 'bigint', index.toString(16));
      assert.notEqual(processor.msrs.write(index, 0n), undefined);
    }
    assert.notEqual(typeof processor.msrs.read(0x492), 'bigint', 'no tertiary controls');
    assert.equal(processor.msrs.read(VmxMsr.BASIC), 0x00d8_1000_4853_0001n);
  });

  it('name exit reasons and rules once', () => {
    assert.deepEqual(duplicates(exitReasons.map(({ number }) => number)), []);
    assert.deepEqual(duplicates(exitReasons.map(({ constant }) => constant)), []);
    assert.deepEqual(duplicates([...controlChecks, ...hostChecks, ...guestChecks].map(({ id }) => id)), []);
  });

  it('intercept instructions that exist, each by one row', () => {
    const names = intercepts.flatMap(({ instructions }) => instructions);
    assert.deepEqual(duplicates(names), []);
    const semantics = { ...coldInstructions, ...createFixture().vmx.instructions };
    assert.deepEqual(
      names.filter((name) => !(name in semantics)),
      [],
    );
  });

  it('describe a VMCS in words', () => {
    const fixture = createFixture();
    fixture.makeCurrent();
    fixture.vmcs.write32(Field.exitReason, 0x8000_0021);
    fixture.vmcs.write32(Field.idtVectoringInformation, 0x8000_0b0e);
    fixture.vmcs.write32(Field.exceptionBitmap, 1 << 14);
    const groups = fixture.vmx.describe(VMCS_REGION)!;
    const rows = new Map<string, DescribedField>(
      groups.flatMap(({ fields }) => fields).map((row) => [row.field.name, row]),
    );
    assert.equal(rows.size, vmcsFields.length);
    const text = (name: string) => rows.get(name)!.text;
    assert.equal(text('exitReason'), 'VM-entry failure due to invalid guest state (entry failure)');
    assert.equal(text('idtVectoringInformation'), 'vector 14, hardware exception, error code');
    assert.equal(text('guestCsAccessRights'), 'code/data type 11, DPL 0, P L G');
    assert.equal(text('guestLdtrAccessRights'), 'unusable');
    assert.equal(text('guestActivityState'), 'active');
    const setBits = (name: string) =>
      rows
        .get(name)!
        .bits.filter(({ set }) => set)
        .map((bit) => bit.name);
    assert.deepEqual(setBits('exceptionBitmap'), ['#PF']);
    assert.deepEqual(setBits('vmEntryControls'), ['IA-32e mode guest']);
    assert.deepEqual(setBits('guestCr4'), ['PAE', 'VMXE']);
    assert.equal(fixture.vmx.describe(0x7000), undefined);
  });
});
