/** VM exits for exceptions, interrupts, windows and task switches (SDM 3C 26.2, 28.2). */
import assert from 'node:assert/strict';
import type { Fault } from '../cpu/fault.js';
import { generalProtection, invalidOpcode, pageFault, Vector } from '../cpu/fault.js';
import { Rflags } from '../cpu/registerBits.js';
import { Exit, Pin, Primary } from '../vmx/controls.js';
import { ExitReason } from '../vmx/exitReasons.js';
import { Field } from '../vmx/fields.js';
import type { Change } from './vmxExpectations.js';
import { all, expectExit, none, on, primary, put } from './vmxExpectations.js';
import type { Fixture } from './vmxFixture.js';
import { enteredFixture } from './vmxFixture.js';

describe('VM exits for events', () => {
  const bitmap = (vector: number): Change => put('exceptionBitmap', BigInt((1 << vector) >>> 0));
  const raise = (fixture: Fixture, fault: Fault): boolean => fixture.vmx.interceptException(fault);

  it('exceptions by the exception bitmap', () => {
    const ud = enteredFixture(bitmap(Vector.UD));
    assert.ok(raise(ud, invalidOpcode()));
    expectExit(ud, { reason: ExitReason.EXCEPTION_NMI, interruption: 0x8000_0306 });
    assert.equal(ud.vmcs.read(Field.guestRflags) & Rflags.RF, Rflags.RF);

    const gp = enteredFixture(bitmap(Vector.GP));
    assert.equal(raise(gp, invalidOpcode()), false);
    assert.ok(raise(gp, generalProtection(0x18)));
    expectExit(gp, { reason: ExitReason.EXCEPTION_NMI, interruption: 0x8000_0b0d, errorCode: 0x18 });

    const interrupt: Fault = { ...invalidOpcode(), vector: Vector.BP, source: 'softwareInterrupt' };
    const bp = enteredFixture(bitmap(Vector.BP));
    assert.equal(raise(bp, interrupt), false, 'INT 3 by CD 03 is no exception');
    bp.execute([0xcc]);
    assert.ok(raise(bp, { ...interrupt, source: 'softwareException' }));
    expectExit(bp, { reason: ExitReason.EXCEPTION_NMI, interruption: 0x8000_0603, length: 1 });
  });

  it('page faults by bitmap, mask and match', () => {
    const cases: [bit: boolean, mask: bigint, match: bigint, code: number, exits: boolean][] = [
      [true, 0n, 0n, 2, true],
      [false, 0n, 0n, 2, false],
      [true, 0n, 1n, 2, false],
      [false, 0n, 1n, 2, true],
      [true, 2n, 2n, 2, true],
      [true, 2n, 2n, 0, false],
    ];
    for (const [bit, mask, match, errorCode, exits] of cases) {
      const fixture = enteredFixture(
        all(
          bit ? bitmap(Vector.PF) : none,
          put('pageFaultErrorCodeMask', mask),
          put('pageFaultErrorCodeMatch', match),
        ),
      );
      assert.equal(
        raise(fixture, pageFault(0x1234_5678n, errorCode)),
        exits,
        `${bit} ${mask} ${match} ${errorCode}`,
      );
      if (!exits) continue;
      expectExit(fixture, {
        reason: ExitReason.EXCEPTION_NMI,
        qualification: 0x1234_5678n,
        interruption: 0x8000_0b0e,
        errorCode,
      });
      assert.equal(fixture.processor.state.cr2, 0n);
    }
  });

  it('during event delivery they record it; double and triple faults do not', () => {
    const event = { vector: 0x80, type: 4, errorCode: undefined, instructionLength: 2, address: 0n };
    const gp = enteredFixture(bitmap(Vector.GP));
    gp.vmx.beginDelivery(event);
    assert.ok(raise(gp, generalProtection(0x402)));
    expectExit(gp, {
      reason: ExitReason.EXCEPTION_NMI,
      interruption: 0x8000_0b0d,
      errorCode: 0x402,
      vectoring: 0x8000_0480,
      length: 2,
    });
    const df = enteredFixture(bitmap(Vector.DF));
    df.vmx.beginDelivery(event);
    assert.ok(raise(df, { ...generalProtection(0), vector: Vector.DF }));
    expectExit(df, { reason: ExitReason.EXCEPTION_NMI, interruption: 0x8000_0b08 });
    const triple = enteredFixture();
    assert.ok(triple.vmx.interceptTripleFault());
    expectExit(triple, { reason: ExitReason.TRIPLE_FAULT });
  });

  it('interrupts, NMIs and windows', () => {
    const pending = (
      fixture: Fixture,
      kind: Parameters<Fixture['vmx']['interceptPendingEvent']>[0]['kind'],
    ) => fixture.vmx.interceptPendingEvent({ kind });
    assert.equal(pending(enteredFixture(), 'externalInterrupt'), false);
    const plain = enteredFixture(on('pinBasedControls', Pin.externalInterruptExiting));
    assert.ok(pending(plain, 'externalInterrupt'), 'with RFLAGS.IF 0 as well');
    expectExit(plain, { reason: ExitReason.EXTERNAL_INTERRUPT });
    const acknowledged = enteredFixture(
      all(
        on('pinBasedControls', Pin.externalInterruptExiting),
        on('vmExitControls', Exit.acknowledgeInterruptOnExit),
      ),
    );
    assert.ok(pending(acknowledged, 'externalInterrupt'));
    expectExit(acknowledged, { reason: ExitReason.EXTERNAL_INTERRUPT, interruption: 0x8000_0031 });

    const nmi = enteredFixture(on('pinBasedControls', Pin.nmiExiting));
    assert.ok(pending(nmi, 'nmi'));
    expectExit(nmi, { reason: ExitReason.EXCEPTION_NMI, interruption: 0x8000_0202 });
    assert.equal(nmi.processor.state.interruptibility, 8, 'NMIs are blocked in the host');

    const window = enteredFixture(primary(Primary.interruptWindowExiting));
    assert.equal(pending(window, 'interruptWindow'), false, 'IF is 0');
    window.processor.state.rflagsSystem |= Rflags.IF;
    window.processor.state.interruptibility = 1;
    assert.equal(pending(window, 'interruptWindow'), false, 'blocked by STI');
    window.processor.state.interruptibility = 0;
    assert.ok(pending(window, 'interruptWindow'));
    expectExit(window, { reason: ExitReason.INTERRUPT_WINDOW });

    const nmiWindow = enteredFixture(
      all(
        on('pinBasedControls', Pin.nmiExiting | Pin.virtualNmis),
        primary(Primary.nmiWindowExiting),
        put('guestInterruptibilityState', 8n),
      ),
    );
    assert.equal(pending(nmiWindow, 'nmiWindow'), false);
    nmiWindow.processor.state.interruptibility = 0;
    assert.ok(pending(nmiWindow, 'nmiWindow'));
    assert.equal(nmiWindow.processor.state.interruptibility, 0);
  });

  it('task switches', () => {
    const fixture = enteredFixture();
    assert.ok(fixture.vmx.interceptTaskSwitch(0x28, 'jump', 5));
    expectExit(fixture, { reason: ExitReason.TASK_SWITCH, qualification: 0x8000_0028n, length: 5 });
  });
});
