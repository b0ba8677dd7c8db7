/** The state that VM entry and VM exit carry between the worlds (SDM 3C 27.3 - 27.7, 28.3 - 28.7). */
import assert from 'node:assert/strict';
import { Vector } from '../cpu/fault.js';
import { Efer, SegmentAccess } from '../cpu/registerBits.js';
import { Cold } from '../cpu/seams.js';
import { Entry, Exit, Primary, Secondary } from '../vmx/controls.js';
import { ExitReason } from '../vmx/exitReasons.js';
import { Field } from '../vmx/fields.js';
import type { Change } from './vmxExpectations.js';
import { all, on, primary, put, secondary } from './vmxExpectations.js';
import { code, enteredFixture, GUEST_RIP, HOST_RIP, VMCS_REGION } from './vmxFixture.js';

describe('VM entry and VM exit', () => {
  it('carry the guest state there and back and load what is forced in the host', () => {
    const fixture = enteredFixture(
      all(
        on(
          'vmExitControls',
          Exit.saveDebugControls | Exit.savePat | Exit.saveEfer | Exit.loadPat | Exit.loadEfer,
        ),
        on('vmEntryControls', Entry.loadDebugControls | Entry.loadPat | Entry.loadEfer),
        put('guestPat', 0x0007_0406_0007_0406n),
        put('hostPat', 0x0606_0606_0606_0606n),
        put('guestEfer', Efer.LME | Efer.LMA | Efer.NXE),
        put('hostEfer', Efer.LME | Efer.LMA | Efer.SCE),
        put('guestDr7', 0xffff_ff00n),
        put('guestFsBase', 0x1111_2222n),
        put('hostFsBase', 0xffff_8888_0000_0000n),
        put('hostGdtrBase', 0xffff_8000_0000_1000n),
        put('tscOffset', 0x55n),
        primary(Primary.useTscOffsetting),
      ),
    );
    const { state } = fixture.processor;
    assert.equal(state.rip, GUEST_RIP);
    assert.equal(state.dr7, 0xffff_2f00n, 'bits 12, 14 and 15 are cleared');
    assert.equal(state.tscOffset, 0x55n);
    assert.equal(state.efer, Efer.LME | Efer.LMA | Efer.NXE);
    assert.equal(state.cpl, 0);
    state.rax = 0xaaaan;
    state.rsp = 0x1_2345n;
    state.cr2 = 0x77n;
    fixture.execute(code.vmcall);

    const { vmcs } = fixture;
    assert.equal(vmcs.read(Field.guestRsp), 0x1_2345n);
    assert.equal(vmcs.read(Field.guestDr7), 0xffff_2f00n);
    assert.equal(vmcs.read(Field.guestFsBase), 0x1111_2222n);
    assert.equal(vmcs.read(Field.guestEfer), Efer.LME | Efer.LMA | Efer.NXE);
    assert.equal(vmcs.read(Field.guestPat), 0x0007_0406_0007_0406n);
    assert.deepEqual(
      {
        rip: state.rip, rsp: state.rsp, rax: state.rax, cr2: state.cr2, dr7: state.dr7, pat: state.pat, efer: state.efer,
        fsBase: state.fsBase, gdtrBase: state.gdtrBase, gdtrLimit: state.gdtrLimit, cs: state.csAccess, ss: state.ssAccess,
        tr: [state.trAccess, state.trLimit, state.trSelector], ldtr: state.ldtrAccess, tsc: state.tscOffset,
      },
      {
        rip: HOST_RIP, rsp: 0x7f00n, rax: 0xaaaan, cr2: 0x77n, dr7: 0x400n, pat: 0x0606_0606_0606_0606n,
        efer: Efer.LME | Efer.LMA | Efer.SCE, fsBase: 0xffff_8888_0000_0000n, gdtrBase: 0xffff_8000_0000_1000n,
        gdtrLimit: 0xffff, cs: 0xa09b, ss: SegmentAccess.UNUSABLE, tr: [0x8b, 0x67, 0x18],
        ldtr: SegmentAccess.UNUSABLE, tsc: 0n,
      },
    ); // prettier-ignore
  });

  it('are told to the observer', () => {
    const fixture = enteredFixture();
    fixture.processor.state.rax = 5n;
    fixture.execute(code.vmcall);
    const [entry, exit] = fixture.switches;
    assert.deepEqual(
      [entry.direction, entry.rip, entry.exit, entry.vmcs],
      ['entry', GUEST_RIP, undefined, VMCS_REGION],
    );
    assert.deepEqual([exit.direction, exit.rip, exit.codeBits, exit.position], ['exit', GUEST_RIP, 64, 42]);
    assert.equal(exit.registers[0], 5n);
    assert.equal(exit.registers[4], 0x9f00n, 'RSP is the guest’s');
    assert.equal(exit.exit?.reason, ExitReason.VMCALL);
    assert.equal(exit.exit?.instructionLength, 3);
  });

  it('resume after an exit, and only then', () => {
    const fixture = enteredFixture();
    fixture.execute(code.vmcall);
    fixture.vmcs.write(Field.guestRip, GUEST_RIP + 3n);
    assert.equal(fixture.execute(code.vmresume), Cold.SWITCHED);
    assert.equal(fixture.processor.state.rip, GUEST_RIP + 3n);
  });

  it('inject events once', () => {
    const fixture = enteredFixture(
      all(
        put('vmEntryInterruptionInformation', 0x8000_0b0en),
        put('vmEntryExceptionErrorCode', 7n),
        ({ processor }) => void (processor.state.cr2 = 0x99n),
      ),
    );
    assert.deepEqual(fixture.vmx.takeInjectedEvent(), {
      vector: 14, type: 3, errorCode: 7, instructionLength: 0, address: 0x99n,
    }); // prettier-ignore
    assert.equal(fixture.vmx.takeInjectedEvent(), undefined);
    fixture.execute(code.vmcall);
    assert.equal(
      fixture.vmcs.read32(Field.vmEntryInterruptionInformation),
      0xb0e,
      'the valid bit is cleared',
    );
  });

  it('deliver pending debug exceptions, or exit for them', () => {
    const pending = all(put('guestPendingDebugExceptions', 0x4000n), put('guestRflags', 0x102n));
    const fixture = enteredFixture(pending);
    assert.deepEqual(fixture.vmx.takeInjectedEvent()?.vector, Vector.DB);
    assert.equal(fixture.processor.state.dr6, 0xffff_4ff0n);
    assert.throws(() => enteredFixture(all(pending, put('exceptionBitmap', 2n))));
  });

  it('store and load MSR lists; one that cannot be stored is a VMX abort', () => {
    const list = (index: bigint): Change =>
      all(
        put('vmExitMsrStoreCount', 1n),
        put('vmExitMsrStoreAddress', 0xa000n),
        put('vmExitMsrLoadCount', 1n),
        put('vmExitMsrLoadAddress', 0xb000n),
        ({ poke }) => {
          poke(0xa000, index);
          poke(0xb000, 0xc000_0082n);
          poke(0xb008, 0x1111n);
        },
      );
    const fixture = enteredFixture(list(0xc000_0082n));
    fixture.processor.state.lstar = 0x2222n;
    fixture.execute(code.vmcall);
    assert.equal(fixture.peek(0xa008), 0x2222n);
    assert.equal(fixture.processor.state.lstar, 0x1111n);
    assert.equal(fixture.vmx.aborted, undefined);

    const aborted = enteredFixture(list(0x4000_0000n));
    aborted.execute(code.vmcall);
    assert.match(aborted.vmx.aborted?.detail ?? '', /VMX abort 1/);
    assert.equal(aborted.peek(VMCS_REGION) >> 32n, 1n);
  });

  it('flush the host’s translations exactly when there is no VPID', () => {
    const without = enteredFixture();
    without.execute(code.vmcall);
    assert.equal(without.flushes.count, 1);
    const vpid = all(secondary(Secondary.enableVpid), put('virtualProcessorIdentifier', 7n));
    const tagged = enteredFixture(vpid);
    const first = tagged.vmx.translationContext;
    tagged.execute(code.vmcall);
    assert.deepEqual([tagged.flushes.count, tagged.vmx.translationContext], [0, 0]);
    tagged.execute(code.vmresume);
    assert.equal(tagged.vmx.translationContext, first, 'the same address space has the same number');
    tagged.execute(code.vmcall);
    tagged.processor.state.rcx = 2n;
    tagged.executeAt(code.invvpid, 0n);
    tagged.execute(code.vmresume);
    assert.notEqual(tagged.vmx.translationContext, first, 'INVVPID forgets it');
  });
});
