/**
 * VM-entry checks at their boundaries: each value that the manual forbids violates exactly its rule and gives that
 * rule's error, each one that it allows enters. What is allowed is written down here a second time, from the manual
 * and from what the capability MSRs read, not taken from the rules.
 */
import assert from 'node:assert/strict';
import { Cold } from '../cpu/seams.js';
import { Efer, Rflags, SegmentAccess } from '../cpu/registerBits.js';
import { VmxMsr } from '../vmx/capabilities.js';
import { entryControls, exitControls, pinBased, primary, secondary } from '../vmx/controls.js';
import type { ControlField } from '../vmx/controls.js';
import { Entry, Exit, Pin, Primary, Secondary } from '../vmx/controls.js';
import { entryStages } from '../vmx/entry/stages.js';
import type { VmcsFieldName } from '../vmx/fields.js';
import { Field } from '../vmx/fields.js';
import type { Change } from './vmxEntryStates.js';
import {
  BEYOND,
  both,
  EPT_POINTER,
  inject,
  postedInterrupts,
  set,
  tprShadow,
  turnOff,
  turnOn,
  usableLdtr,
  useEpt,
  useSecondary,
} from './vmxEntryStates.js';
import { code, createFixture, VMCS_REGION, vmStatus } from './vmxFixture.js';

const nothing: Change = () => undefined;
const LOW_CANONICAL = 0x0000_7fff_ffff_ffffn;
const HIGH_CANONICAL = 0xffff_8000_0000_0000n;
const bits = (first: number, last: number): readonly number[] =>
  Array.from({ length: last - first + 1 }, (_, i) => first + i);

const errorOf = new Map(
  entryStages.flatMap(({ rules, outcome }) => rules.map(({ id }) => [id, outcome] as const)),
);
const fixture = createFixture();
let cases = 0;

/** `violated`: identifiers of all violated rules, in order; none: the entry succeeds. */
function check(what: string, change: Change, ...violated: readonly string[]): void {
  cases++;
  fixture.reset();
  fixture.makeCurrent();
  change(fixture);
  const explanation = fixture.vmx.explainEntry(VMCS_REGION)!;
  assert.deepEqual(
    explanation.violations.map(({ id }) => id),
    violated,
    what,
  );
  assert.equal(explanation.enters, violated.length === 0);
  const outcome = fixture.execute(code.vmlaunch);
  if (violated.length === 0) {
    assert.deepEqual(
      [outcome, fixture.failures, fixture.switches[0]?.direction],
      [Cold.SWITCHED, [], 'entry'],
      what,
    );
    return;
  }
  const expected = errorOf.get(violated[0]);
  assert.ok(expected && !fixture.vmx.inGuest, what);
  assert.equal(fixture.failures[0].detail.split(':')[0], violated[0], what);
  if ('vmInstructionError' in expected) {
    assert.equal(vmStatus(fixture), `VMfailValid(${expected.vmInstructionError})`, what);
  } else {
    assert.equal(fixture.vmcs.read32(Field.exitReason), (expected.exitReason | 0x8000_0000) >>> 0, what);
  }
}

/** Each bit of a field flipped alone; `rule` says what that violates. */
const checkFlips = (
  field: VmcsFieldName,
  start: Change,
  flipped: readonly number[],
  rule: (bit: number) => string | readonly string[] | undefined,
): void => {
  for (const bit of flipped) {
    const flip: Change = ({ vmcs }) =>
      vmcs.write(Field[field], vmcs.read(Field[field]) ^ (1n << BigInt(bit)));
    const violated = rule(bit) ?? [];
    check(
      `${field} bit ${bit}`,
      both(start, flip),
      ...(typeof violated === 'string' ? [violated] : violated),
    );
  }
};

const capability = (index: number): bigint => {
  const value = createFixture().processor.msrs.read(index);
  return typeof value === 'bigint' ? value : assert.fail(`no MSR ${index}`);
};
const hasBit = (value: bigint, bit: number): boolean => ((value >> BigInt(bit)) & 1n) !== 0n;

describe('VM-entry checks at their boundaries', () => {
  after(() => assert.ok(cases >= 2_200, `only ${cases} cases`));

  it('controls: what the capability MSRs allow', () => {
    /** What a control that is allowed breaks when it changes alone. */
    const breaks: Readonly<Record<string, readonly string[]>> = {
      virtualNmis: ['controls.virtualNmis'],
      nmiWindowExiting: ['controls.nmiWindowExiting'],
      processPostedInterrupts: [
        'controls.processPostedInterrupts.delivery',
        'controls.processPostedInterrupts.acknowledge',
      ],
      enableEpt: ['controls.eptPointer.pageWalkLength'],
      enableVpid: ['controls.vpid'],
      unrestrictedGuest: ['controls.unrestrictedGuest'],
      virtualizeX2apicMode: ['controls.virtualizeX2apicMode.tprShadow'],
      apicRegisterVirtualization: ['controls.apicRegisterVirtualization.tprShadow'],
      virtualInterruptDelivery: [
        'controls.virtualInterruptDelivery.tprShadow',
        'controls.virtualInterruptDelivery.externalInterrupts',
      ],
      enablePml: ['controls.enablePml.ept'],
      modeBasedExecuteControl: ['controls.modeBasedExecuteControl.ept'],
      savePreemptionTimer: ['controls.savePreemptionTimer'],
    };
    /** These change the mode, or load registers that are 0 in the VMCS; tests of those registers have them. */
    const elsewhere = ['hostAddressSpaceSize', 'ia32eModeGuest', 'loadEfer'];
    const checkControl = (control: ControlField, index: number, start: Change = nothing): void => {
      const allowed = capability(index);
      const nameOf = (bit: number) => control.bits.find((row) => row.bit === bit)?.name ?? '';
      const flipped = bits(0, 31).filter((bit) => !elsewhere.includes(nameOf(bit)));
      checkFlips(control.field as VmcsFieldName, start, flipped, (bit) => {
        const mayChange = !hasBit(allowed, bit) && hasBit(allowed, bit + 32);
        return mayChange ? breaks[nameOf(bit)] : `controls.${control.field}.reserved`;
      });
    };
    checkControl(pinBased, VmxMsr.TRUE_PINBASED_CTLS);
    checkControl(primary, VmxMsr.TRUE_PROCBASED_CTLS);
    checkControl(secondary, VmxMsr.PROCBASED_CTLS2, useSecondary(0));
    checkControl(exitControls, VmxMsr.TRUE_EXIT_CTLS);
    checkControl(entryControls, VmxMsr.TRUE_ENTRY_CTLS);
  });

  it('addresses of pages, lists and the EPT pointer', () => {
    const page = (field: VmcsFieldName, start: Change, id = `controls.${field}.address`): void => {
      for (const legal of [0n, BEYOND - 4096n]) check(`${field} ${legal}`, both(start, set(field, legal)));
      for (const illegal of [1n, 0x800n, BEYOND, 1n << 63n])
        check(`${field} ${illegal}`, both(start, set(field, illegal)), id);
    };
    page('ioBitmapA', turnOn('primaryProcBasedControls', Primary.useIoBitmaps));
    page('ioBitmapB', turnOn('primaryProcBasedControls', Primary.useIoBitmaps));
    page('msrBitmap', turnOn('primaryProcBasedControls', Primary.useMsrBitmaps));
    page('virtualApicAddress', both(tprShadow, set('tprThreshold', 0)));
    page('apicAccessAddress', useSecondary(Secondary.virtualizeApicAccesses));
    page('vmreadBitmap', useSecondary(Secondary.vmcsShadowing));
    page('vmwriteBitmap', useSecondary(Secondary.vmcsShadowing));
    page('pmlAddress', both(useEpt, useSecondary(Secondary.enablePml)));
    const switching = both(useEpt, useSecondary(Secondary.enableVmFunctions), set('vmFunctionControls', 1));
    page('eptpListAddress', switching);
    page('virtualizationExceptionInformationAddress', useSecondary(Secondary.eptViolationVe));

    const descriptor: VmcsFieldName = 'postedInterruptDescriptorAddress';
    for (const legal of [0n, 64n, BEYOND - 64n])
      check(descriptor, both(postedInterrupts, set(descriptor, legal)));
    for (const illegal of [1n, 32n, BEYOND])
      check(descriptor, both(postedInterrupts, set(descriptor, illegal)), `controls.${descriptor}`);
    for (const [vector, ...violated] of [[255], [256, 'controls.postedInterruptNotificationVector']] as const)
      check(
        `vector ${vector}`,
        both(postedInterrupts, set('postedInterruptNotificationVector', vector)),
        ...violated,
      );

    const lists = [
      ['vmExitMsrStoreAddress', 'vmExitMsrStoreCount'],
      ['vmExitMsrLoadAddress', 'vmExitMsrLoadCount'],
    ] as const;
    for (const [address, count] of lists) {
      const at = (value: bigint, entries: number) => both(set(address, value), set(count, entries));
      check(`${address} unused`, at(1n, 0));
      check(`${address} at the end`, at(BEYOND - 16n, 1));
      check(`${address} beyond the end`, at(BEYOND - 16n, 2), `controls.${address}.end`);
      check(`${address} not aligned`, at(0x1008n, 1), `controls.${address}.address`);
    }

    checkFlips('eptPointer', useEpt, bits(0, 63), (bit) => {
      if (bit <= 2) return 'controls.eptPointer.memoryType';
      if (bit <= 5) return 'controls.eptPointer.pageWalkLength';
      return bit === 6 || (bit >= 12 && bit < 40) ? undefined : 'controls.eptPointer.reserved';
    });
    check('EPT pointer, uncacheable', both(useEpt, set('eptPointer', EPT_POINTER & ~7n)));
  });

  it('counts, VPIDs and the TPR threshold', () => {
    for (let count = 0; count <= 6; count++) {
      check(
        `${count} CR3 targets`,
        set('cr3TargetCount', count),
        ...(count > 4 ? ['controls.cr3TargetCount'] : []),
      );
    }
    for (const vpid of [1, 0xffff]) {
      check(
        `VPID ${vpid}`,
        both(useSecondary(Secondary.enableVpid), set('virtualProcessorIdentifier', vpid)),
      );
    }
    // VTPR[7:4] is 5.
    const shadow = both(tprShadow, ({ poke }) => poke(0xb080, 0x5fn));
    check('threshold 5', both(shadow, set('tprThreshold', 5)));
    check('threshold 6', both(shadow, set('tprThreshold', 6)), 'controls.tprThreshold.vtpr');
    checkFlips('tprThreshold', shadow, bits(4, 31), () => 'controls.tprThreshold.reserved');
  });

  it('events to inject, by type and vector', () => {
    const withErrorCode = [8, 10, 11, 12, 13, 14, 17];
    const vectors = [...bits(0, 33), 127, 128, 255];
    const interruptsOn = turnOn('guestRflags', Rflags.IF);
    const violated = (type: number, vector: number): readonly string[] => {
      if (type === 1) return ['controls.injection.type'];
      if (type === 2 && vector !== 2) return ['controls.injection.nmiVector'];
      if (type === 3 && vector > 31) return ['controls.injection.exceptionVector'];
      return type === 7 && vector !== 0 ? ['controls.injection.otherEventVector'] : [];
    };
    for (const vector of vectors) {
      for (const type of bits(0, 7)) {
        const hasCode = type === 3 && withErrorCode.includes(vector);
        const information = (type << 8) | vector | (hasCode ? 0x800 : 0);
        const start = both(interruptsOn, inject(information, 0xffff, 15));
        // A software event without a length is one that the processor cannot inject.
        check(
          `type ${type} vector ${vector}`,
          hasCode ? start : both(start, set('vmEntryExceptionErrorCode', 0)),
          ...violated(type, vector),
        );
      }
      if (vector > 31) continue;
      const wrong = (0x300 | vector | (withErrorCode.includes(vector) ? 0 : 0x800)) >>> 0;
      check(`error code of vector ${vector}`, inject(wrong), 'controls.injection.deliverErrorCode');
    }
    checkFlips(
      'vmEntryInterruptionInformation',
      inject(0x306),
      bits(12, 30),
      () => 'controls.injection.reserved',
    );
    checkFlips('vmEntryExceptionErrorCode', inject(0xb0d), bits(0, 31), (bit) =>
      bit < 16 ? undefined : 'controls.injection.errorCode',
    );
    for (const [length, ...rules] of [
      [0, 'controls.injection.instructionLength'],
      [1],
      [15],
      [16, 'controls.injection.instructionLength'],
    ] as const)
      // prettier-ignore
      check(`length ${length}`, inject(0x603, 0, length), ...rules);
  });

  it('canonical addresses', () => {
    const canonical = (prefix: string, field: VmcsFieldName, id = `${prefix}.${field}.canonical`): void => {
      for (const legal of [0n, LOW_CANONICAL, HIGH_CANONICAL]) check(`${field} ${legal}`, set(field, legal));
      for (const illegal of [LOW_CANONICAL + 1n, HIGH_CANONICAL - 1n])
        check(`${field} ${illegal}`, set(field, illegal), id);
    };
    for (const name of ['hostSysenterEsp', 'hostSysenterEip', 'hostFsBase', 'hostGsBase', 'hostGdtrBase', 'hostIdtrBase', 'hostTrBase'] as const) canonical('host', name); // prettier-ignore
    canonical('host', 'hostRip', 'host.addressSpace.rip64');
    for (const name of ['guestSysenterEsp', 'guestSysenterEip', 'guestGdtrBase', 'guestIdtrBase'] as const)
      canonical('guest', name);
    for (const name of ['tr', 'fs', 'gs'] as const) {
      const field = `guest${name[0].toUpperCase()}${name[1]}Base` as VmcsFieldName;
      canonical('guest', field, `guest.${name}.base.canonical`);
    }
    // RIP need not be canonical: only bits 63:48 must be identical (SDM 3C 27.3.1.4).
    for (const legal of [LOW_CANONICAL + 1n, HIGH_CANONICAL, 0xffff_0000_0000_0000n])
      check(`RIP ${legal}`, set('guestRip', legal));
    for (const illegal of [1n << 48n, 1n << 63n, 0xfffe_ffff_ffff_ffffn])
      check(`RIP ${illegal}`, set('guestRip', illegal), 'guest.rip.canonical');
  });

  it('control registers, by bit', () => {
    checkFlips('hostCr0', nothing, bits(0, 63), (bit) =>
      [0, 5, 31].includes(bit) || bit > 31 ? 'host.cr0.fixed' : undefined,
    );
    checkFlips('guestCr0', nothing, bits(0, 63), (bit) => {
      if (bit === 0) return ['guest.cr0.fixed', 'guest.cr0.paging'];
      if (bit === 31) return ['guest.cr0.fixed', 'guest.ia32e.paging'];
      return bit === 5 || bit > 31 ? 'guest.cr0.fixed' : undefined;
    });
    const supported = capability(VmxMsr.CR4_FIXED1);
    const cr4 = (prefix: string, withoutPae: string) => (bit: number) => {
      if (bit === 5) return withoutPae;
      return bit === 13 || !hasBit(supported, bit) ? `${prefix}.cr4.fixed` : undefined;
    };
    checkFlips('hostCr4', nothing, bits(0, 63), cr4('host', 'host.addressSpace.pae'));
    checkFlips('guestCr4', nothing, bits(0, 63), cr4('guest', 'guest.ia32e.paging'));
    for (const [prefix, field] of [
      ['host', 'hostCr3'],
      ['guest', 'guestCr3'],
    ] as const) {
      checkFlips(field, nothing, bits(0, 63), (bit) => (bit < 40 ? undefined : `${prefix}.cr3.width`));
    }
  });

  it('EFER, PAT, DR7, DEBUGCTL and RFLAGS, by bit', () => {
    const exists = (bit: number) => [0, 8, 10, 11].includes(bit);
    const mode = Efer.LME | Efer.LMA;
    checkFlips(
      'hostEfer',
      both(turnOn('vmExitControls', Exit.loadEfer), set('hostEfer', mode)),
      bits(0, 63),
      (bit) =>
        exists(bit) ? (bit === 8 || bit === 10 ? 'host.efer.mode' : undefined) : 'host.efer.reserved',
    );
    checkFlips(
      'guestEfer',
      both(turnOn('vmEntryControls', Entry.loadEfer), set('guestEfer', mode)),
      bits(0, 63),
      (bit) => {
        if (bit === 8) return 'guest.efer.lme';
        if (bit === 10) return ['guest.efer.lma', 'guest.efer.lme'];
        return exists(bit) ? undefined : 'guest.efer.reserved';
      },
    );
    for (const type of bits(0, 8)) {
      const rules = (prefix: string) => ([2, 3, 8].includes(type) ? [`${prefix}.pat`] : []);
      const pat = BigInt(type) << 56n;
      check(
        `host PAT ${type}`,
        both(turnOn('vmExitControls', Exit.loadPat), set('hostPat', pat)),
        ...rules('host'),
      );
      check(
        `guest PAT ${type}`,
        both(turnOn('vmEntryControls', Entry.loadPat), set('guestPat', pat)),
        ...rules('guest'),
      );
    }
    const debug = turnOn('vmEntryControls', Entry.loadDebugControls);
    checkFlips('guestDr7', both(debug, set('guestDr7', 0x400)), bits(8, 63), (bit) =>
      bit < 32 ? undefined : 'guest.dr7',
    );
    checkFlips('guestDebugctl', debug, bits(0, 63), () => 'guest.debugctl');
    // VM makes it a virtual-8086 guest, which has rules of its own.
    const rflags = bits(0, 63).filter((bit) => bit !== 17);
    checkFlips('guestRflags', nothing, rflags, (bit) =>
      [1, 3, 5, 15].includes(bit) || bit > 21 ? 'guest.rflags.reserved' : undefined,
    );
  });

  it('selectors and descriptor-table limits of the host and the guest', () => {
    for (const name of ['Cs', 'Ss', 'Ds', 'Es', 'Fs', 'Gs', 'Tr'] as const) {
      const field = `host${name}Selector` as VmcsFieldName;
      checkFlips(
        field,
        set(field, 0x20),
        bits(0, 15).filter((bit) => bit !== 5),
        (bit) => (bit < 3 ? `host.${field}.rplTi` : undefined),
      );
      const mayBeNull = name !== 'Cs' && name !== 'Tr';
      check(`${field} null`, set(field, 0), ...(mayBeNull ? [] : [`host.${field}.notNull`]));
    }
    checkFlips('guestTrSelector', nothing, bits(0, 15), (bit) => (bit === 2 ? 'guest.tr.ti' : undefined));
    checkFlips('guestLdtrSelector', usableLdtr, bits(0, 15), (bit) =>
      bit === 2 ? 'guest.ldtr.ti' : undefined,
    );
    for (const field of ['guestGdtrLimit', 'guestIdtrLimit'] as const) {
      checkFlips(field, nothing, bits(0, 31), (bit) => (bit < 16 ? undefined : `guest.${field}`));
    }
  });

  it('types, reserved bits and granularity of segments', () => {
    const rightsOf = (name: string) => `guest${name}AccessRights` as VmcsFieldName;
    const limitOf = (name: string) => `guest${name}Limit` as VmcsFieldName;
    const legalTypes: Readonly<Record<string, readonly number[]>> = {
      Cs: [9, 11, 13, 15], Ss: [3, 7], Ds: [1, 3, 5, 7, 11, 15], Es: [1, 3, 5, 7, 11, 15], Fs: [1, 3, 5, 7, 11, 15],
      Gs: [1, 3, 5, 7, 11, 15], Tr: [11], Ldtr: [2],
    }; // prettier-ignore
    for (const [name, legal] of Object.entries(legalTypes)) {
      const id = `guest.${name.toLowerCase()}.rights`;
      const start = name === 'Ldtr' ? usableLdtr : nothing;
      const rights = rightsOf(name);
      for (const type of bits(0, 15)) {
        check(`${name} type ${type}`, both(start, turnOff(rights, 0xf), turnOn(rights, type)), ...(legal.includes(type) ? [] : [`${id}.type`]));
      }
      checkFlips(rights, start, bits(8, 11), () => `${id}.reservedLow`);
      checkFlips(rights, start, bits(17, 31), () => `${id}.reservedHigh`);
      for (const [limit, granular, holds] of [
        [0, false, true], [0xf_ffff, false, true], [0x10_0000, false, false], [0xffff_ffff, false, false],
        [0xfff, true, true], [0xffff_ffff, true, true], [0xffff_fffe, true, false], [0x1000, true, false],
      ] as const) {
        const change = both(start, set(limitOf(name), limit), granular ? turnOn(rights, SegmentAccess.G) : turnOff(rights, SegmentAccess.G));
        check(`${name} limit ${limit} G ${granular}`, change, ...(holds ? [] : [`${id}.granularity`]));
      }
    } // prettier-ignore
    for (const name of ['Cs', 'Ss', 'Ds', 'Es'] as const) {
      const base = `guest${name}Base` as VmcsFieldName;
      checkFlips(base, nothing, bits(28, 35), (bit) =>
        bit < 32 ? undefined : `guest.${name.toLowerCase()}.base.upper`,
      );
    }
  });

  it('activity, interruptibility and pending debug exceptions', () => {
    for (const state of bits(0, 5)) {
      check(
        `activity ${state}`,
        set('guestActivityState', state),
        ...(state > 3 ? ['guest.activityState.supported'] : []),
      );
    }
    for (const interruptsOn of [false, true]) {
      for (const state of bits(0, 31)) {
        const violated = [
          ...(state >= 16 ? ['guest.interruptibility.reserved'] : []),
          ...((state & 3) === 3 ? ['guest.interruptibility.both'] : []),
          ...(state & 1 && !interruptsOn ? ['guest.interruptibility.sti'] : []),
          ...(state & 4 ? ['guest.interruptibility.smi'] : []),
        ];
        const rflags = interruptsOn ? turnOn('guestRflags', Rflags.IF) : nothing;
        check(
          `interruptibility ${state}`,
          both(rflags, set('guestInterruptibilityState', state)),
          ...violated,
        );
      }
    }
    checkFlips('guestPendingDebugExceptions', nothing, bits(0, 63), (bit) =>
      bit < 4 || bit === 12 || bit === 14 ? undefined : 'guest.pendingDebug.reserved',
    );
    // In the shadow of MOV SS, BS says whether the guest single-steps.
    for (const [trap, pending] of [[false, false], [false, true], [true, false], [true, true]] as const) {
      const change = both(
        set('guestInterruptibilityState', 2),
        trap ? turnOn('guestRflags', Rflags.TF) : nothing,
        set('guestPendingDebugExceptions', pending ? 1 << 14 : 0),
      );
      check(`TF ${trap} BS ${pending}`, change, ...(trap === pending ? [] : ['guest.pendingDebug.singleStep']));
    } // prettier-ignore
    check(
      'NMI blocking without virtual NMIs',
      both(turnOn('pinBasedControls', Pin.nmiExiting), set('guestInterruptibilityState', 8)),
    );
  });
});
