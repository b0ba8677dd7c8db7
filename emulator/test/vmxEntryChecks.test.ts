/** Every VM-entry check, violated alone, is the one that refuses the entry, with the error that the manual gives it. */
import assert from 'node:assert/strict';
import { Cr0, Cr4, Efer, Rflags, SegmentAccess } from '../cpu/registerBits.js';
import { Cold } from '../cpu/seams.js';
import { Entry, Exit, Pin, Primary, Secondary } from '../vmx/controls.js';
import { controlChecks } from '../vmx/entry/controlChecks.js';
import { guestChecks } from '../vmx/entry/guestChecks.js';
import { hostChecks } from '../vmx/entry/hostChecks.js';
import { EntryView } from '../vmx/entry/rules.js';
import type { VmcsFieldName } from '../vmx/fields.js';
import { Field } from '../vmx/fields.js';
import { PhysicalMemory } from '../vmx/physicalMemory.js';
import { guestSegments } from '../vmx/segmentFields.js';
import type { Change } from './vmxEntryStates.js';
import {
  BEYOND,
  EPT_POINTER,
  NON_CANONICAL,
  both,
  host32,
  inject,
  injectInterrupt,
  paeGuest,
  postedInterrupts,
  prepared,
  protected32,
  set,
  tprShadow,
  turnOff,
  turnOn,
  unpaged32,
  unrestricted,
  usableLdtr,
  useEpt,
  useSecondary,
  virtual8086,
} from './vmxEntryStates.js';
import { code, createFixture, HOST_RIP, SECOND_VMCS, VMCS_REGION, vmStatus } from './vmxFixture.js';

// -------------------------------------------------------------- one violation for each rule

const listCases = (address: VmcsFieldName, count: VmcsFieldName): Record<string, Change> => ({
  [`controls.${address}.address`]: both(set(count, 1), set(address, 8)),
  [`controls.${address}.end`]: both(set(count, 2), set(address, BEYOND - 16n)),
});

const controlCases: Record<string, Change> = {
  'controls.pinBasedControls.reserved': turnOff('pinBasedControls', 2),
  'controls.primaryProcBasedControls.reserved': turnOn(
    'primaryProcBasedControls',
    Primary.activateTertiaryControls,
  ),
  'controls.secondaryProcBasedControls.reserved': useSecondary(Secondary.enableXsaves),
  'controls.cr3TargetCount': set('cr3TargetCount', 5),
  'controls.ioBitmapA.address': both(
    turnOn('primaryProcBasedControls', Primary.useIoBitmaps),
    set('ioBitmapA', BEYOND),
  ),
  'controls.ioBitmapB.address': both(
    turnOn('primaryProcBasedControls', Primary.useIoBitmaps),
    set('ioBitmapB', 0x800),
  ),
  'controls.msrBitmap.address': both(
    turnOn('primaryProcBasedControls', Primary.useMsrBitmaps),
    set('msrBitmap', 0x801),
  ),
  'controls.virtualApicAddress.address': both(tprShadow, set('virtualApicAddress', 0x7008)),
  'controls.tprThreshold.reserved': both(tprShadow, set('tprThreshold', 0x10)),
  'controls.tprThreshold.vtpr': both(tprShadow, set('tprThreshold', 3)),
  'controls.apicAccessAddress.address': both(
    useSecondary(Secondary.virtualizeApicAccesses),
    set('apicAccessAddress', BEYOND),
  ),
  'controls.virtualizeX2apicMode.tprShadow': useSecondary(Secondary.virtualizeX2apicMode),
  'controls.apicRegisterVirtualization.tprShadow': useSecondary(Secondary.apicRegisterVirtualization),
  'controls.virtualInterruptDelivery.tprShadow': both(
    turnOn('pinBasedControls', Pin.externalInterruptExiting),
    useSecondary(Secondary.virtualInterruptDelivery),
  ),
  'controls.virtualizeX2apicMode.apicAccesses': both(
    tprShadow,
    useSecondary(Secondary.virtualizeX2apicMode | Secondary.virtualizeApicAccesses),
  ),
  'controls.virtualInterruptDelivery.externalInterrupts': both(
    tprShadow,
    useSecondary(Secondary.virtualInterruptDelivery),
  ),
  'controls.processPostedInterrupts.delivery': both(
    turnOn('pinBasedControls', Pin.processPostedInterrupts),
    turnOn('vmExitControls', Exit.acknowledgeInterruptOnExit),
  ),
  'controls.processPostedInterrupts.acknowledge': both(
    postedInterrupts,
    turnOff('vmExitControls', Exit.acknowledgeInterruptOnExit),
  ),
  'controls.postedInterruptNotificationVector': both(
    postedInterrupts,
    set('postedInterruptNotificationVector', 256),
  ),
  'controls.postedInterruptDescriptorAddress': both(
    postedInterrupts,
    set('postedInterruptDescriptorAddress', 0x20),
  ),
  'controls.virtualNmis': turnOn('pinBasedControls', Pin.virtualNmis),
  'controls.nmiWindowExiting': turnOn('primaryProcBasedControls', Primary.nmiWindowExiting),
  'controls.vpid': useSecondary(Secondary.enableVpid),
  'controls.eptPointer.memoryType': both(useEpt, set('eptPointer', (EPT_POINTER & ~7n) | 1n)),
  'controls.eptPointer.pageWalkLength': both(useEpt, set('eptPointer', 0x4006n | (2n << 3n))),
  'controls.eptPointer.reserved': both(useEpt, turnOn('eptPointer', 0x800)),
  'controls.unrestrictedGuest': useSecondary(Secondary.unrestrictedGuest),
  'controls.vmExitControls.reserved': turnOn('vmExitControls', Exit.clearBndcfgs),
  'controls.savePreemptionTimer': turnOn('vmExitControls', Exit.savePreemptionTimer),
  'controls.vmFunctionControls.reserved': both(
    useSecondary(Secondary.enableVmFunctions),
    set('vmFunctionControls', 2),
  ),
  'controls.eptpSwitching.ept': both(useSecondary(Secondary.enableVmFunctions), set('vmFunctionControls', 1)),
  'controls.eptpListAddress.address': both(
    useEpt,
    useSecondary(Secondary.enableVmFunctions),
    set('vmFunctionControls', 1),
    set('eptpListAddress', BEYOND),
  ),
  'controls.vmreadBitmap.address': both(useSecondary(Secondary.vmcsShadowing), set('vmreadBitmap', 1)),
  'controls.vmwriteBitmap.address': both(useSecondary(Secondary.vmcsShadowing), set('vmwriteBitmap', BEYOND)),
  'controls.virtualizationExceptionInformationAddress.address': both(
    useSecondary(Secondary.eptViolationVe),
    set('virtualizationExceptionInformationAddress', 0x10),
  ),
  'controls.enablePml.ept': useSecondary(Secondary.enablePml),
  'controls.pmlAddress.address': both(useEpt, useSecondary(Secondary.enablePml), set('pmlAddress', 0x801)),
  'controls.modeBasedExecuteControl.ept': useSecondary(Secondary.modeBasedExecuteControl),
  ...listCases('vmExitMsrStoreAddress', 'vmExitMsrStoreCount'),
  ...listCases('vmExitMsrLoadAddress', 'vmExitMsrLoadCount'),
  'controls.vmEntryControls.reserved': turnOn('vmEntryControls', Entry.entryToSmm),
  'controls.injection.type': inject(0x100),
  'controls.injection.nmiVector': inject(0x203),
  'controls.injection.otherEventVector': inject(0x701),
  'controls.injection.exceptionVector': inject(0x320),
  'controls.injection.deliverErrorCode': inject(0x30d),
  'controls.injection.reserved': inject(0x1306),
  'controls.injection.errorCode': inject(0xb0d, 0x1_0000),
  'controls.injection.instructionLength': inject(0x603, 0, 16),
  ...listCases('vmEntryMsrLoadAddress', 'vmEntryMsrLoadCount'),
};

const canonicalCases = (prefix: string, fields: readonly VmcsFieldName[]): Record<string, Change> =>
  Object.fromEntries(fields.map((field) => [`${prefix}.${field}.canonical`, set(field, NON_CANONICAL)]));

const hostCases: Record<string, Change> = {
  'host.cr0.fixed': turnOff('hostCr0', Cr0.NE),
  'host.cr4.fixed': turnOn('hostCr4', 1n << 63n),
  'host.cr3.width': set('hostCr3', BEYOND),
  ...canonicalCases('host', [
    'hostSysenterEsp', 'hostSysenterEip', 'hostFsBase', 'hostGsBase', 'hostGdtrBase', 'hostIdtrBase', 'hostTrBase',
  ]), // prettier-ignore
  'host.pat': both(turnOn('vmExitControls', Exit.loadPat), set('hostPat', 0x02)),
  'host.efer.reserved': both(turnOn('vmExitControls', Exit.loadEfer), set('hostEfer', 0x502)),
  'host.efer.mode': both(turnOn('vmExitControls', Exit.loadEfer), set('hostEfer', Efer.LME)),
  'host.hostCsSelector.rplTi': set('hostCsSelector', 9),
  'host.hostSsSelector.rplTi': set('hostSsSelector', 4),
  'host.hostDsSelector.rplTi': set('hostDsSelector', 3),
  'host.hostEsSelector.rplTi': set('hostEsSelector', 3),
  'host.hostFsSelector.rplTi': set('hostFsSelector', 3),
  'host.hostGsSelector.rplTi': set('hostGsSelector', 3),
  'host.hostTrSelector.rplTi': set('hostTrSelector', 0x1c),
  'host.hostCsSelector.notNull': set('hostCsSelector', 0),
  'host.hostTrSelector.notNull': set('hostTrSelector', 0),
  'host.hostSsSelector.notNull': both(host32, set('hostSsSelector', 0)),
  'host.addressSpace.legacy': ({ processor }) => void (processor.state.efer = 0n),
  'host.addressSpace.ia32e': both(
    protected32,
    turnOff('vmExitControls', Exit.hostAddressSpaceSize),
    set('hostSsSelector', 8),
  ),
  'host.addressSpace.guest': both(host32, turnOn('vmEntryControls', Entry.ia32eModeGuest)),
  'host.addressSpace.pcide': both(host32, turnOn('hostCr4', Cr4.PCIDE)),
  'host.addressSpace.rip32': both(host32, set('hostRip', 1n << 32n)),
  'host.addressSpace.pae': turnOff('hostCr4', Cr4.PAE),
  'host.addressSpace.rip64': set('hostRip', NON_CANONICAL),
};

const loadDebug = turnOn('vmEntryControls', Entry.loadDebugControls);
const loadEfer = turnOn('vmEntryControls', Entry.loadEfer);

const registerCases: Record<string, Change> = {
  'guest.cr0.fixed': turnOff('guestCr0', Cr0.NE),
  'guest.cr0.paging': both(unpaged32, turnOff('guestCr0', Cr0.PE), turnOn('guestCr0', Cr0.PG)),
  'guest.cr4.fixed': turnOff('guestCr4', Cr4.VMXE),
  'guest.debugctl': both(loadDebug, set('guestDebugctl', 4)),
  'guest.ia32e.paging': turnOff('guestCr4', Cr4.PAE),
  'guest.cr4.pcide': both(protected32, turnOn('guestCr4', Cr4.PCIDE)),
  'guest.cr3.width': set('guestCr3', BEYOND),
  'guest.dr7': both(loadDebug, set('guestDr7', 1n << 32n)),
  ...canonicalCases('guest', ['guestSysenterEsp', 'guestSysenterEip', 'guestGdtrBase', 'guestIdtrBase']),
  'guest.pat': both(turnOn('vmEntryControls', Entry.loadPat), set('guestPat', 0x0300)),
  'guest.efer.reserved': both(loadEfer, set('guestEfer', 0x2500)),
  'guest.efer.lma': both(loadEfer, set('guestEfer', Efer.LME)),
  'guest.efer.lme': both(loadEfer, set('guestEfer', Efer.LMA)),
  'guest.guestGdtrLimit': set('guestGdtrLimit', 0x1_0000),
  'guest.guestIdtrLimit': set('guestIdtrLimit', 0x1_0000),
  'guest.rip.upper': both(turnOff('guestCsAccessRights', SegmentAccess.L), set('guestRip', 1n << 32n)),
  'guest.rip.canonical': set('guestRip', 1n << 48n),
  'guest.rflags.reserved': turnOn('guestRflags', 8),
  'guest.rflags.vm': both(virtual8086, turnOff('guestCr0', Cr0.PE | Cr0.PG), unrestricted),
  'guest.rflags.if': inject(0x30),
};

const segmentCases: Record<string, Change> = {
  'guest.tr.ti': set('guestTrSelector', 0x1c),
  'guest.ldtr.ti': both(usableLdtr, set('guestLdtrSelector', 0x24)),
  'guest.ss.rpl': set('guestSsSelector', 3),
  'guest.cs.rights.type': turnOff('guestCsAccessRights', 8),
  'guest.ss.rights.type': turnOff('guestSsAccessRights', 2),
  'guest.cs.rights.dpl': turnOn('guestCsAccessRights', 0x60),
  'guest.ss.rights.dplRpl': both(
    turnOn('guestSsAccessRights', 0x60 | SegmentAccess.UNUSABLE),
    turnOn('guestCsAccessRights', 0x60),
  ),
  'guest.ss.rights.dplRealMode': both(
    unpaged32,
    turnOff('guestCr0', Cr0.PE),
    turnOn('guestSsAccessRights', 0x60),
    turnOn('guestCsAccessRights', 0x60),
  ),
  'guest.cs.rights.db': turnOn('guestCsAccessRights', SegmentAccess.DB),
  'guest.tr.rights.type': turnOff('guestTrAccessRights', 8),
  'guest.tr.rights.usable': turnOn('guestTrAccessRights', SegmentAccess.UNUSABLE),
  'guest.ldtr.rights.type': both(usableLdtr, turnOn('guestLdtrAccessRights', 1)),
};
for (const { name, selector, base, limit, rights } of guestSegments) {
  const at = (field: { name: string }): VmcsFieldName => field.name as VmcsFieldName;
  const system = name === 'tr' || name === 'ldtr';
  const start: Change = name === 'ldtr' ? usableLdtr : () => undefined;
  const add = (id: string, change: Change) => {
    segmentCases[`guest.${name}.${id}`] = both(start, change);
  };
  add('rights.s', system ? turnOn(at(rights), SegmentAccess.S) : turnOff(at(rights), SegmentAccess.S));
  add('rights.p', turnOff(at(rights), SegmentAccess.P));
  add('rights.reservedLow', turnOn(at(rights), 0x100));
  add('rights.reservedHigh', turnOn(at(rights), 0x2_0000));
  add('rights.granularity', both(set(at(limit), 0x10_0000), turnOff(at(rights), SegmentAccess.G)));
  if (['tr', 'ldtr', 'fs', 'gs'].includes(name)) add('base.canonical', set(at(base), NON_CANONICAL));
  if (['cs', 'ss', 'ds', 'es'].includes(name)) add('base.upper', set(at(base), 1n << 32n));
  if (['ds', 'es', 'fs', 'gs'].includes(name)) {
    add('rights.type', turnOff(at(rights), 1));
    add('rights.dpl', set(at(selector), 3));
  }
  if (system) continue;
  add('base.virtual8086', both(virtual8086, set(at(base), 0)));
  add('limit.virtual8086', both(virtual8086, set(at(limit), 0xfffe)));
  add('rights.virtual8086', both(virtual8086, set(at(rights), 0x93)));
}

const nonRegisterCases: Record<string, Change> = {
  'guest.activityState.supported': set('guestActivityState', 4),
  'guest.activityState.hlt': both(
    set('guestActivityState', 1),
    set('guestSsSelector', 3),
    set('guestCsSelector', 3),
    turnOn('guestSsAccessRights', 0x60),
    turnOn('guestCsAccessRights', 0x60),
  ),
  'guest.activityState.blocking': both(
    set('guestActivityState', 1),
    set('guestInterruptibilityState', 1),
    turnOn('guestRflags', Rflags.IF),
  ),
  'guest.activityState.injection': both(set('guestActivityState', 1), inject(0x306)),
  'guest.interruptibility.reserved': set('guestInterruptibilityState', 0x10),
  'guest.interruptibility.both': both(set('guestInterruptibilityState', 3), turnOn('guestRflags', Rflags.IF)),
  'guest.interruptibility.sti': set('guestInterruptibilityState', 1),
  'guest.interruptibility.interrupt': both(injectInterrupt, set('guestInterruptibilityState', 2)),
  'guest.interruptibility.nmi': both(inject(0x202), set('guestInterruptibilityState', 2)),
  'guest.interruptibility.smi': set('guestInterruptibilityState', 4),
  'guest.interruptibility.virtualNmi': both(
    turnOn('pinBasedControls', Pin.nmiExiting | Pin.virtualNmis),
    inject(0x202),
    set('guestInterruptibilityState', 8),
  ),
  'guest.pendingDebug.reserved': set('guestPendingDebugExceptions', 0x10),
  'guest.pendingDebug.singleStep': both(
    set('guestInterruptibilityState', 2),
    turnOn('guestRflags', Rflags.TF),
  ),
  'guest.linkPointer.address': set('vmcsLinkPointer', 0x1001),
  'guest.linkPointer.revision': set('vmcsLinkPointer', 0x1_0000),
  'guest.linkPointer.shadow': both(
    useSecondary(Secondary.vmcsShadowing),
    set('vmcsLinkPointer', SECOND_VMCS),
  ),
  'guest.linkPointer.current': set('vmcsLinkPointer', VMCS_REGION),
  'guest.pdptes': both(paeGuest, set('guestPdpte2', 0x21)),
};

const cases: Record<string, Change> = {
  ...controlCases,
  ...hostCases,
  ...registerCases,
  ...segmentCases,
  ...nonRegisterCases,
};

/** Rules that another rule always forestalls on this processor; they are asked by themselves. */
const forestalled: Record<string, string> = {
  'host.addressSpace.guest': 'host.addressSpace.legacy',
  'host.addressSpace.pcide': 'host.cr4.fixed',
  'guest.cr4.pcide': 'guest.cr4.fixed',
};

/** Exit qualifications that are not 0, SDM 3C 27.8. */
const qualifications: Record<string, bigint> = {
  'guest.pdptes': 2n,
  'guest.linkPointer.address': 4n,
  'guest.linkPointer.revision': 4n,
  'guest.linkPointer.shadow': 4n,
  'guest.linkPointer.current': 4n,
};

describe('VM-entry checks', () => {
  const lists = [
    [controlChecks, 7],
    [hostChecks, 8],
    [guestChecks, 33],
  ] as const;

  it('accept the states that the violations start from', () => {
    const states = {
      valid: () => undefined,
      unpaged32,
      protected32,
      virtual8086,
      paeGuest,
      host32,
      usableLdtr,
      injectInterrupt,
      tprShadow,
      postedInterrupts,
    };
    for (const [name, change] of Object.entries(states)) {
      const fixture = prepared(change);
      assert.equal(fixture.execute(code.vmlaunch), Cold.SWITCHED, name);
      assert.deepEqual(fixture.failures, [], name);
      assert.ok(fixture.vmx.inGuest, name);
    }
  });

  it('have a case each', () => {
    const ids = lists.flatMap(([rules]) => rules.map(({ id }) => id));
    assert.deepEqual(
      ids.filter((id) => !(id in cases)),
      [],
    );
    assert.deepEqual(
      Object.keys(cases).filter((id) => !ids.includes(id)),
      [],
    );
  });

  for (const [rules, error] of lists) {
    for (const rule of rules) {
      it(`${rule.id} (${rule.section})`, () => {
        const fixture = prepared(cases[rule.id] ?? assert.fail('no case'));
        const { processor, vmcs } = fixture;
        const view = new EntryView(vmcs, processor.state, new PhysicalMemory(processor.memory));
        assert.notEqual(rule.check(view), undefined, 'the rule itself');

        const outcome = fixture.execute(code.vmlaunch);
        assert.equal(fixture.vmx.inGuest, false);
        assert.equal(fixture.failures.length, 1);
        const expected = forestalled[rule.id] ?? rule.id;
        assert.equal(fixture.failures[0].detail.split(':')[0], expected, fixture.failures[0].detail);
        assert.equal(vmcs.launchState, 0);
        if (error === 33) {
          assert.equal(outcome, Cold.SWITCHED);
          assert.equal(vmcs.read32(Field.exitReason), 0x8000_0021);
          assert.equal(vmcs.read(Field.exitQualification), qualifications[rule.id] ?? 0n);
          assert.equal(processor.state.rip, HOST_RIP);
        } else {
          assert.equal(outcome, Cold.RETIRED);
          assert.equal(vmStatus(fixture), `VMfailValid(${error})`);
        }
      });
    }
  }

  it('are made again for a VMCS that has entered before, when something that they read has changed', () => {
    const fixture = createFixture();
    for (const [id, change] of Object.entries(cases)) {
      fixture.reset();
      fixture.makeCurrent();
      assert.equal(fixture.execute(code.vmlaunch), Cold.SWITCHED);
      assert.equal(fixture.execute(code.vmcall), Cold.SWITCHED);
      change(fixture);
      fixture.execute(code.vmresume);
      assert.equal(fixture.failures.length, 1, id);
      assert.equal(fixture.failures[0].detail.split(':')[0], forestalled[id] ?? id);
    }
  });

  it('load MSRs after the checks; a refused one fails the entry with reason 34 and its number', () => {
    const list = both(set('vmEntryMsrLoadCount', 2), set('vmEntryMsrLoadAddress', 0xa000), ({ poke }) => {
      poke(0xa000, 0xc000_0082n);
      poke(0xa008, 0x1234n);
      poke(0xa010, 0xc000_0080n);
      poke(0xa018, 0x8000n);
    });
    const fixture = prepared(list);
    assert.equal(fixture.execute(code.vmlaunch), Cold.SWITCHED);
    assert.equal(fixture.vmcs.read32(Field.exitReason), 0x8000_0022);
    assert.equal(fixture.vmcs.read(Field.exitQualification), 2n);
    assert.equal(fixture.processor.state.lstar, 0x1234n, 'the first entry was loaded');
    assert.match(fixture.failures[0].detail, /MSR 0xc0000080 cannot be loaded with 0x8000/);
    assert.equal(fixture.vmcs.launchState, 0);
  });

  it('use another VMCS without a trace of the first', () => {
    const fixture = prepared(() => undefined);
    fixture.executeAt(code.vmclear, BigInt(SECOND_VMCS));
    fixture.executeAt(code.vmptrld, BigInt(SECOND_VMCS));
    assert.equal(fixture.execute(code.vmlaunch), Cold.RETIRED);
    assert.match(fixture.failures[0].detail, /^controls.pinBasedControls.reserved/);
  });
});
